//! The program as a process: one that answers and ends, or one that runs until it is dropped.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// A line that has not come by then never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program with nothing of the caller's environment, and temporary files where they are removed.
fn command(arguments: &[&str], variables: &[(&str, &str)], scratch: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mda"));
    command.args(arguments).env_clear().env("TMPDIR", scratch.path()).envs(variables.iter().copied());
    command.current_dir(scratch.path());
    command
}

/// What a command that ended left behind.
pub(crate) struct Done {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    /// Standard output as the one JSON value it is.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("no single JSON value: {e}\n{}\n{}", self.stdout, self.stderr))
    }

    /// Everything it said.
    pub(crate) fn said(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }
}

/// Runs a command to its end.
pub(crate) fn run(arguments: &[&str]) -> Done {
    run_with(arguments, &[])
}

/// Runs a command to its end with variables in its environment.
pub(crate) fn run_with(arguments: &[&str], variables: &[(&str, &str)]) -> Done {
    let scratch = tempfile::tempdir().unwrap();
    let output = command(arguments, variables, &scratch).stdin(Stdio::null()).output().unwrap();
    Done {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A process that runs until it is killed or dropped.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
    complaints: Arc<Mutex<String>>,
    _scratch: TempDir,
}

impl Running {
    /// Starts the program.
    pub(crate) fn start(arguments: &[&str], variables: &[(&str, &str)]) -> Running {
        Running::watch(|scratch| command(arguments, variables, scratch))
    }

    /// Starts the program on a machine whose clock is off: `+90s`, `-1h`.
    pub(crate) fn start_skewed(skew: &str, arguments: &[&str]) -> Running {
        Running::watch(|scratch| {
            let mut command = Command::new("faketime");
            command.args(["-f", skew, env!("CARGO_BIN_EXE_mda")]).args(arguments);
            command.env_clear().env("PATH", "/usr/bin:/bin").env("TMPDIR", scratch.path());
            // A clock that is off runs on all the same.
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").current_dir(scratch.path());
            command
        })
    }

    /// Starts another program.
    pub(crate) fn start_other(program: &str, arguments: &[&str]) -> Running {
        Running::watch(|scratch| {
            let mut command = Command::new(program);
            command.args(arguments).current_dir(scratch.path());
            command
        })
    }

    fn watch(command: impl FnOnce(&TempDir) -> Command) -> Running {
        let scratch = tempfile::tempdir().unwrap();
        let mut child = command(&scratch)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Nobody listens once the test is over.
                let _ = sender.send(line);
            }
        });
        let complaints = Arc::new(Mutex::new(String::new()));
        let (mut stderr, kept) = (child.stderr.take().unwrap(), Arc::clone(&complaints));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut buffer) {
                kept.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
            }
        });
        Running { child, lines, said: Vec::new(), complaints, _scratch: scratch }
    }

    /// Waits for a line of standard output that says something.
    pub(crate) fn wait_for<T>(&mut self, says: impl Fn(&str) -> Option<T>) -> T {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!("the line never came; it said {:#?} and {}", self.said, self.complaints());
            };
            let found = says(&line);
            self.said.push(line);
            if let Some(found) = found {
                return found;
            }
        }
    }

    /// Everything on standard output and standard error so far.
    pub(crate) fn said(&mut self) -> String {
        self.said.extend(self.lines.try_iter());
        format!("{}\n{}", self.said.join("\n"), self.complaints())
    }

    /// Everything it says up to its own end.
    pub(crate) fn said_to_the_end(&mut self) -> String {
        self.child.wait().unwrap();
        // The channel closes when standard output does.
        self.said.extend(self.lines.iter());
        self.said()
    }

    fn complaints(&self) -> String {
        self.complaints.lock().unwrap().clone()
    }

    /// SIGTERM, and the code it ends with.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(asked.success());
        self.child.wait().unwrap().code()
    }

    /// SIGKILL: nothing is given back or written in good order.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What follows a word in a line, up to the next blank: an address behind its label.
pub(crate) fn after<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    line.split_once(word)?.1.split_whitespace().next()
}
