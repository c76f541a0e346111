//! The `serin` program: parses what was typed, runs it, and answers with an exit code. All else is in [`serin::cli`].

use std::process::ExitCode;

use clap::Parser;
use mimalloc::MiMalloc;
use serin::cli::Cli;

/// A proof's tables come and go by the megabyte. The system's allocator gives each back to the kernel, and takes a third of a
/// batch's proving time to have it zeroed again.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    Cli::parse().run()
}
