//! Market Data Agent: the command line and the wiring. Nothing here is worth a unit test.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "the command line talks to its terminal, and reads the environment for everyone else"
)]

mod arguments;
mod client;
mod commands;
mod exit;
mod table;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("mda: the runtime does not start: {error}");
            return ExitCode::from(exit::INTERNAL);
        }
    };
    let as_json = arguments.json;
    match runtime.block_on(carry_out(arguments)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            if as_json {
                println!("{}", serde_json::json!({"ok": false, "error": format!("{error:#}")}));
            } else {
                eprintln!("mda: {error:#}");
            }
            ExitCode::from(exit::of(&error))
        }
    }
}

async fn carry_out(arguments: Arguments) -> anyhow::Result<u8> {
    match arguments.command {
        Command::Demo(demo) => commands::demo::run(demo).await,
        Command::Serve(serve) => commands::serve::run(serve).await,
        Command::Simulate(simulate) => commands::simulate::run(simulate).await,
        Command::Chaos(chaos) => commands::chaos::run(chaos, arguments.json).await,
        Command::Quote(ask) => commands::ask::quote(ask, arguments.json).await,
        Command::Bars(ask) => commands::ask::bars(ask, arguments.json).await,
        Command::Compare(ask) => commands::ask::compare(ask, arguments.json).await,
        Command::Explain(ask) => commands::ask::explain(ask, arguments.json).await,
        Command::Vendors(ask) => commands::ask::vendors(ask, arguments.json).await,
        Command::Budget(budget) => commands::budget::run(budget, arguments.json).await,
        Command::Decode(decode) => commands::decode::run(decode, arguments.json),
        Command::Check(check) => commands::check::run(check, arguments.json),
        Command::Completions { shell } => {
            let mut command = <Arguments as clap::CommandFactory>::command();
            clap_complete::generate(shell, &mut command, "mda", &mut std::io::stdout());
            Ok(exit::OK)
        }
    }
}
