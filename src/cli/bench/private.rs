//! `serin bench --protocol private`: a server process and this one, over loopback, as over a network of a given line.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::encode_model;

use crate::cli::connect::Line;
use crate::cli::process::Process;
use crate::measure::private::{self as measure, Batch, Ends};
use crate::net::{Timeouts, tcp};
use crate::protocol::private::Ledger;
use crate::protocol::{Answerer, Client, Host, Kind};
use crate::prover::Model;

/// The figures of one batch size.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    model: String,
    protocol: &'static str,
    /// The line, as it was typed; none is loopback's own.
    line: Option<String>,
    #[serde(flatten)]
    of_batch: Batch,
}

/// A server process of a model, and the model.
pub(super) struct Pair {
    model: Model,
    process: Process,
    line: Option<Line>,
    _folder: tempfile::TempDir,
}

impl Pair {
    /// Starts the server.
    pub(super) fn start(model: Model, line: Option<Line>) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let (file, card) = (folder.path().join("model.serin"), folder.path().join("card.json"));
        fs::write(&file, encode_model(model.graph(), model.weights()))?;
        let host = Host::new("bench", model, None);
        fs::write(&card, serde_json::to_vec(host.card())?)?;
        let mut further = vec!["--private", "--costs"];
        if let Some(line) = &line {
            further.extend(["--line", &line.text]);
        }
        let process = Process::serve(&file, &card, &further)?;
        Ok(Self { model: host.into_model(), process, line, _folder: folder })
    }

    /// Measures batches of these inputs in a conversation of their own.
    pub(super) fn measure(&mut self, model: &Path, inputs: &Tensor) -> Result<Figures> {
        let mut link = tcp::connect(self.process.address(), Timeouts::default())?;
        if let Some(line) = &self.line {
            link = link.shaped(line.shape)?;
        }
        let mut client = Client::open(Box::new(link), Kind::Private)?;
        let expected = self.model.infer(inputs);
        let (mut exact, process) = (true, &mut self.process);
        // The server tells its costs after every lot, of which a batch may take several.
        let ledger = |positions| loop {
            let ledger: Ledger = process.line()?;
            if ledger.positions >= positions {
                return Ok(ledger);
            }
        };
        let of_batch = measure::batch::<anyhow::Error>(&mut client, inputs, BUDGET, ledger, |outputs| {
            exact &= outputs == expected.output();
        })?;
        ensure!(exact, "private answers differ from the model's own: this is a mistake of serin's");
        let _ = client.close();
        let line = self.line.as_ref().map(|line| line.text.clone());
        Ok(Figures { model: model.display().to_string(), protocol: "private", line, of_batch })
    }

    /// The model.
    pub(super) fn model(&self) -> &Model {
        &self.model
    }
}

/// The figures for people: the batches, then the nodes of the last.
pub(super) fn text(figures: &[Figures]) -> String {
    let mut text = String::from(
        "batch  runs  to server B  to client B  online B  rounds  offline s   online s  offline CPU s  online CPU s\n",
    );
    let cells = |of: &Ends| {
        format!(
            "{:>11.0}  {:>11.0}  {:>8.0}  {:>2.0}+{:<3.0}  {:>9.4}  {:>9.4}  {:>6.3}+{:.3}  {:>6.3}+{:.3}",
            of.bytes_to_server,
            of.bytes_to_client,
            of.online_bytes,
            of.rounds_offline,
            of.rounds_online,
            of.offline_wall_s,
            of.online_wall_s,
            of.offline_cpu_s.client,
            of.offline_cpu_s.server,
            of.online_cpu_s.client,
            of.online_cpu_s.server,
        )
    };
    for Figures { of_batch, .. } in figures {
        let _ = writeln!(text, "{:>5}  {:>4}  {}", of_batch.batch, of_batch.runs, cells(&of_batch.of_batch));
    }
    if let Some(Figures { of_batch, .. }) = figures.last() {
        let (bytes, seconds) = (of_batch.setup_bytes, of_batch.setup_wall_s);
        let _ = writeln!(
            text,
            "set-up {bytes} B, {seconds:.3} s, once a conversation; rounds and CPU: offline + online, client + server"
        );
        let _ = writeln!(text, "of a batch of {}, by node:", of_batch.batch);
        for node in &of_batch.nodes {
            let name: String = node.node.chars().take(22).collect();
            let _ = writeln!(text, "{name:<22} {:<12} {}", node.kind, cells(&node.costs));
        }
    }
    text
}

/// Measuring of one batch size.
const BUDGET: Duration = Duration::from_secs(4);
