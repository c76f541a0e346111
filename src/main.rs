//! The `serin` program: parses what was typed, runs it, and answers with an exit code. All else is in [`serin::cli`].

use std::process::ExitCode;

use clap::Parser;
use serin::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
