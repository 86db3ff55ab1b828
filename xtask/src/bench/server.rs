//! Servers under measurement: each on the first core, ended by its own process id.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::open_loop;

/// A running server; it ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// From its start to its first answer.
    pub(crate) cold_start: Duration,
}

impl Server {
    /// Starts a program on a core and waits until a GET of `path` is a success.
    pub(crate) fn start(core: &str, command: &[&str], address: SocketAddr, path: &str) -> Result<Server> {
        let begin = Instant::now();
        let child = undisturbed(core)
            .args(command)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} could not be started", command[0]))?;
        let mut server = Server { child, address, cold_start: Duration::ZERO };
        loop {
            match open_loop::once(address, path) {
                Ok(_) => break,
                Err(error) if begin.elapsed() > Duration::from_secs(20) => {
                    return Err(error.context(format!("{} does not answer", command.join(" "))));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
            if let Some(status) = server.child.try_wait()? {
                bail!("{} ended with {status}", command.join(" "));
            }
        }
        server.cold_start = begin.elapsed();
        Ok(server)
    }

    /// Resident memory in MiB.
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        // `taskset` and `chrt` become the program they start, so the id is the server's own.
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: f64 = line.context("no VmRSS")?.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // In good order first: nginx's master takes its worker along.
        let _ = Command::new("kill").arg(self.child.id().to_string()).stderr(Stdio::null()).status();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(5) {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The start of a command line that runs on one core and, where we may, ahead of whatever else the machine does.
fn undisturbed(core: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", core]);
    if super::is_favoured() {
        command.args(["chrt", "-f", super::PRIORITY]);
    }
    command
}

/// Requests a second that `wrk` gets answered over 32 kept connections from the second core. `script` decides
/// what is asked, else it is `path`.
pub(crate) fn throughput(address: SocketAddr, path: &str, script: Option<&Path>, secs: u32) -> Result<f64> {
    let mut command = undisturbed(super::CLIENT_CORE);
    command.args(["wrk", "-t1", "-c32", &format!("-d{secs}s")]);
    if let Some(script) = script {
        command.arg("-s").arg(script);
    }
    let output =
        command.arg(format!("http://{address}{path}")).output().context("wrk could not be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    if let Some(line) = text.lines().find(|line| line.contains("Non-2xx") || line.contains("Socket errors")) {
        bail!("http://{address}{path}: {}", line.trim());
    }
    let rate = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
    Ok(rate.with_context(|| format!("wrk told no rate: {text}"))?.trim().parse()?)
}
