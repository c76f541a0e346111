//! The command line: what can be typed, and what each command does with it.
//!
//! A command is a struct that clap fills (numbers, files' kinds, addresses and data sources are parsed into what they mean
//! before anything runs) and a `run` that returns a `Verdict` or says what went wrong. The exit code is the verdict:
//!
//! | code | means |
//! |---|---|
//! | 0 | accepted, or done |
//! | 1 | rejected: somebody did not do what they promised |
//! | 2 | could not tell: misuse, a file or network that failed, or too little evidence |
//!
//! Results go to standard output, as text or (`--json`) as one JSON value; everything else, logs, bars and errors, to standard
//! error. Files are written whole or not at all.

mod accuracy;
mod ask;
mod audit;
mod bench;
mod commit;
mod compile;
mod connect;
mod console;
mod data;
mod demo;
mod file;
mod how;
mod inspect;
mod mixing;
mod plan;
mod prepare;
mod private;
mod process;
mod references;
mod serve;
mod verify;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::{ArgAction, Parser, Subcommand};
use serin_verifier::report;
use tracing_subscriber::EnvFilter;

use console::Console;

/// Know that the model you were promised is the model that answered.
///
/// Exit code: 0 accepted (or done), 1 rejected, 2 could not tell (misuse, failing files or network, too little evidence).
#[derive(Debug, Parser)]
#[command(name = "serin", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print the result as one JSON value
    #[arg(long, global = true, display_order = LAST)]
    json: bool,
    /// Log more: -v what happens, -vv how, -vvv everything (RUST_LOG overrides)
    #[arg(short, long, global = true, action = ArgAction::Count, display_order = LAST)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    Compile(compile::Compile),
    Inspect(inspect::Inspect),
    Commit(commit::Commit),
    Serve(serve::Serve),
    Prepare(prepare::Prepare),
    Ask(ask::Ask),
    Verify(verify::Verify),
    Audit(audit::Inquiry),
    Plan(plan::Plan),
    Bench(bench::Bench),
    Demo(demo::Demo),
}

/// What a command found, the worse the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// Nothing speaks against anybody; or there was nothing to judge.
    Accepted,
    /// The evidence decides nothing.
    Undecided,
    /// Somebody did not do what they promised.
    Rejected,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Verdict::Accepted => "accepted",
            Verdict::Undecided => "inconclusive",
            Verdict::Rejected => "rejected",
        }
    }
}

impl From<report::Verdict> for Verdict {
    fn from(verdict: report::Verdict) -> Self {
        match verdict {
            report::Verdict::Accepted => Verdict::Accepted,
            report::Verdict::Inconclusive => Verdict::Undecided,
            report::Verdict::Rejected => Verdict::Rejected,
        }
    }
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
            Command::Serve(command) => command.run(&console),
            Command::Prepare(command) => command.run(&console),
            Command::Ask(command) => command.run(&console),
            Command::Verify(command) => command.run(&console),
            Command::Audit(command) => command.run(&console),
            Command::Plan(command) => command.run(&console),
            Command::Bench(command) => command.run(&console),
            Command::Demo(command) => command.run(&console),
        };
        match result {
            Ok(verdict) => verdict.into(),
            Err(error) => {
                eprintln!("error: {}", told(&error));
                Verdict::Undecided.into()
            }
        }
    }
}

/// Sends logs to standard error, as many as asked for.
fn log(verbose: u8) {
    let level = ["warn", "info", "debug", "trace"][usize::from(verbose.min(3))];
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colours = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(io::stderr).init();
}

/// An error and its causes on one line; a cause that the error quotes is not said again.
fn told(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |said, cause| match said.is_empty() {
        true => cause,
        false if said.contains(&cause) => said,
        false => format!("{said}: {cause}"),
    })
}

/// Where options that every command takes stand in its help: behind its own, before clap's (999).
const LAST: usize = 990;

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use clap::CommandFactory;

    use super::{Cli, told};

    #[test]
    fn error_that_quotes_its_cause_is_told_once() {
        let error =
            anyhow!("no such file").context("cannot read a.csv (no such file)").context("nothing to ask");
        assert_eq!(told(&error), "nothing to ask: cannot read a.csv (no such file)");
    }

    #[test]
    fn command_line_of_any_command_is_consistent() {
        Cli::command().debug_assert();
    }
}
