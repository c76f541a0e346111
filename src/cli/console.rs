//! What a command says: its result on standard output, its progress on standard error.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

/// How results are to be printed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Console {
    /// As one JSON value instead of text.
    pub(super) json: bool,
}

impl Console {
    /// Prints a result: itself as JSON, or `text` of it.
    pub(super) fn result<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) -> Result<()> {
        if self.json {
            let json = serde_json::to_string_pretty(value).context("the result has no JSON form")?;
            return print(&json);
        }
        print(&text(value))
    }

    /// Prints a result on one line, for whoever reads before the command ends.
    pub(super) fn line<T: Serialize>(&self, value: &T, text: impl FnOnce(&T) -> String) -> Result<()> {
        match self.json {
            true => print(&serde_json::to_string(value).context("the result has no JSON form")?),
            false => print(&text(value)),
        }
    }

    /// Prints a part of a longer text; nothing where the result is to be JSON.
    pub(super) fn text(&self, text: &str) -> Result<()> {
        if self.json { Ok(()) } else { print(text) }
    }

    /// A spinner that says what is being done and for how long; not drawn where standard error is no terminal.
    pub(super) fn doing(&self, what: impl Into<Cow<'static, str>>) -> ProgressBar {
        let bar = ProgressBar::new_spinner().with_message(what);
        bar.enable_steady_tick(std::time::Duration::from_millis(100));
        match ProgressStyle::with_template("{spinner} {msg}, {elapsed}") {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }

    /// A bar over `steps` steps; not drawn where standard error is no terminal.
    pub(super) fn steps(&self, steps: u64) -> ProgressBar {
        let style = ProgressStyle::with_template("{bar:24.cyan/blue} {pos}/{len} {wide_msg}");
        let bar = ProgressBar::new(steps);
        match style {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }
}

/// Says on standard error what the user should know although the work goes on.
pub(super) fn warn(text: impl Display) {
    eprintln!("warning: {text}");
}

/// Prints a text and a newline. A reader that has gone away has read enough.
fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{}", text.trim_end()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}
