//! The command line: what can be typed, and what each command does with it.
//!
//! A command is a struct that clap fills (numbers, files' kinds, addresses and data sources are parsed into what they mean
//! before anything runs) and a `run` that returns a [`Verdict`] or says what went wrong. The exit code is the verdict:
//!
//! | code | means |
//! |---|---|
//! | 0 | accepted, or done |
//! | 1 | rejected: somebody did not do what they promised |
//! | 2 | could not tell: misuse, a file or network that failed, or too little evidence |
//!
//! Results go to standard output, as text or (`--json`) as one JSON value; everything else, logs, bars and errors, to standard
//! error. Files are written whole or not at all ([`file`]).

mod accuracy;
mod bench;
mod commit;
mod compile;
mod console;
mod data;
mod file;
mod inspect;
mod plan;

use std::process::ExitCode;

use clap::{ArgAction, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use console::Console;

/// Know that the model you were promised is the model that answered.
///
/// Exit code: 0 accepted (or done), 1 rejected, 2 could not tell (misuse, failing files or network, too little evidence).
#[derive(Debug, Parser)]
#[command(
    name = "serin",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print the result as one JSON value
    #[arg(long, global = true)]
    json: bool,
    /// Log more: -v what happens, -vv how, -vvv everything (RUST_LOG overrides)
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    Compile(compile::Compile),
    Inspect(inspect::Inspect),
    Commit(commit::Commit),
    Plan(plan::Plan),
    Bench(bench::Bench),
}

/// What a command found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing speaks against anybody; or there was nothing to judge.
    Accepted,
    /// Somebody did not do what they promised.
    Rejected,
    /// The evidence decides nothing.
    Undecided,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accepted => ExitCode::SUCCESS,
            Verdict::Rejected => ExitCode::from(1),
            Verdict::Undecided => ExitCode::from(2),
        }
    }
}

impl Cli {
    /// Does what was asked for; the exit code is the verdict.
    pub fn run(self) -> ExitCode {
        log(self.verbose);
        let console = Console { json: self.json };
        let result = match self.command {
            Command::Compile(command) => command.run(&console),
            Command::Inspect(command) => command.run(&console),
            Command::Commit(command) => command.run(&console),
            Command::Plan(command) => command.run(&console),
            Command::Bench(command) => command.run(&console),
        };
        match result {
            Ok(verdict) => verdict.into(),
            Err(error) => {
                eprintln!("error: {error:#}");
                Verdict::Undecided.into()
            }
        }
    }
}

/// Sends logs to standard error, as many as asked for.
fn log(verbose: u8) {
    let level = ["warn", "info", "debug", "trace"][usize::from(verbose.min(3))];
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn command_line_of_any_command_is_consistent() {
        Cli::command().debug_assert();
    }
}
