//! A server as a process of its own: this program, told to serve.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde::de::DeserializeOwned;

use crate::cli::serve::Listening;

/// A running server. It ends with its standard input, so that it cannot outlive this process; dropping it ends it at once.
pub(super) struct Process {
    child: Child,
    output: BufReader<ChildStdout>,
    address: String,
}

impl Process {
    /// Starts a server of a model file under its card, on a free port of loopback, with these further arguments.
    pub(super) fn serve(model: &Path, card: &Path, further: &[&str]) -> Result<Self> {
        let program = std::env::current_exe().context("cannot find this program to start a server of it")?;
        let mut command = Command::new(program);
        command.arg("serve").arg(model).arg("--card").arg(card);
        command.args(["--port", "0", "--drain", "5", "--json", "--until-input-ends"]).args(further);
        // As many threads as this process computes on, so that what is measured of both is of a kind.
        command.env("RAYON_NUM_THREADS", rayon::current_num_threads().to_string());
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a server process")?;
        let Some(output) = child.stdout.take() else {
            bail!("the server process has no output");
        };
        let mut process = Self { child, output: BufReader::new(output), address: String::new() };
        process.address = process.line::<Listening>()?.address;
        Ok(process)
    }

    /// Where it listens.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Lets it end gracefully.
    pub(super) fn stop(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        let status = self.child.wait().context("cannot wait for the server process")?;
        ensure!(status.success(), "the server process ended with {status}");
        Ok(())
    }

    /// The next line it prints, of JSON.
    pub(super) fn line<T: DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        self.output.read_line(&mut line).context("cannot read from the server process")?;
        serde_json::from_str(&line).context("the server process did not go on; its error stands above")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
