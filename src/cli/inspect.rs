//! `serin inspect`: what a model file, or a graph as a server sends it, says.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use serin_circuits::graph::{Graph, Port};
use serin_circuits::weights::Weights;

use super::Verdict;
use super::console::Console;
use super::{data, file};

/// Show a model file or a graph: nodes, shapes, scales, ranges, parameters, multiply-adds, digest
#[derive(Args, Debug)]
pub(super) struct Inspect {
    /// A model file, or a graph
    file: PathBuf,
}

/// A graph, ready to be shown.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    digest: String,
    parameters: usize,
    multiply_adds: u64,
    /// Whether the weights were there too.
    weights: bool,
    input: Wire,
    nodes: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Row {
    name: String,
    kind: &'static str,
    /// What it reads: 0 is the input, i the i-th node.
    reads: Vec<usize>,
    #[serde(flatten)]
    output: Wire,
    parameters: usize,
    multiply_adds: u64,
}

#[derive(Debug, Serialize)]
struct Wire {
    shape: Vec<usize>,
    exponent: i8,
    low: i32,
    high: i32,
}

impl Inspect {
    /// Reads and shows.
    pub(super) fn run(self, console: &Console) -> Result<Verdict> {
        let bytes = file::read(&self.file)?;
        let shown = if bytes.starts_with(b"serin-graph/") {
            let graph =
                Graph::decode(&bytes).with_context(|| format!("{} is no graph", self.file.display()))?;
            shown(&graph, None)
        } else {
            let (graph, weights) = data::model(&self.file)?;
            shown(&graph, Some(&weights))
        };
        console.result(&shown, Shown::text)?;
        Ok(Verdict::Accepted)
    }
}

/// A graph, and whether its weights were there too.
pub(super) fn shown(graph: &Graph, weights: Option<&Weights>) -> Shown {
    let rows = graph.nodes().iter().map(|node| {
        let linear = node.op.linear();
        Row {
            name: node.name.clone(),
            kind: node.op.kind(),
            reads: node.inputs.iter().map(|wire| wire.0).collect(),
            output: Wire::of(&node.output),
            parameters: linear.map_or(0, |l| l.weight_count() + l.output_channels()),
            multiply_adds: linear.map_or(0, |l| l.multiply_adds()),
        }
    });
    let nodes: Vec<Row> = rows.collect();
    Shown {
        digest: hex::encode(graph.digest()),
        parameters: nodes.iter().map(|row| row.parameters).sum(),
        multiply_adds: graph.multiply_adds(),
        weights: weights.is_some(),
        input: Wire::of(graph.input()),
        nodes,
    }
}

impl Wire {
    fn of(port: &Port) -> Self {
        let Port { shape, exponent, range } = port;
        Self { shape: shape.clone(), exponent: *exponent, low: range.low, high: range.high }
    }

    fn text(&self) -> String {
        let shape = self.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×");
        format!(
            "{shape:>12}  {:>5}  {}..={}",
            format!("2^{}", -i32::from(self.exponent)),
            self.low,
            self.high
        )
    }
}

impl Shown {
    /// As a table.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "graph {}\n{} parameters{}, {} multiply-adds a sample\n\n",
            self.digest,
            self.parameters,
            if self.weights { "" } else { " (not in this file)" },
            self.multiply_adds
        );
        let name = |row: &Row| row.name.chars().count();
        let width = self.nodes.iter().map(name).max().unwrap_or(0).clamp(5, 40);
        let head = format!("  # {:<width$}  kind          reads        shape   unit  range", "name");
        let _ =
            writeln!(text, "{head}\n  0 {:<width$}  {:<12}  {:<5} {}", "input", "", "", self.input.text());
        for (index, row) in self.nodes.iter().enumerate() {
            let reads = row.reads.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
            let name: String = row.name.chars().take(width).collect();
            let wire = row.output.text();
            let _ = write!(text, "{:>3} {name:<width$}  {:<12}  {reads:<5} {wire}", index + 1, row.kind);
            let _ = match row.parameters {
                0 => writeln!(text),
                count => writeln!(text, "  ({count} parameters, {} multiply-adds)", row.multiply_adds),
            };
        }
        text
    }
}
