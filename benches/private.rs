//! Serin's private inference beside that of peers, in one table: `cargo bench --bench private -- --models FOLDER`.
//!
//! The networks are an MLP 784-128-128-10 and the MNIST net of MiniONN (two convolutions, two max pools, two dense layers), from
//! `mlp_784_128_128_10.onnx` and `mnist_net.onnx` in FOLDER, and, if `--networks` names it, ResNet-20 for CIFAR-10 from `resnet20.onnx` in
//! FOLDER or in `cifar10` beside it, which is slow and is left out where that file is missing. Everybody runs as two processes over
//! loopback on this machine, one after another. A peer that is not installed is named, with how to install it, and its published figures
//! stand in its place, marked so.
//!
//! | system | runs if | else |
//! |---|---|---|
//! | serin | FOLDER has the models | named |
//! | SPU's Cheetah | `$SERIN_PEERS_PYTHON` (or `python3`) imports `spu` and `onnx` (`peers/spu_cheetah.py`) | figures from elsewhere |
//! | MP-SPDZ: MASCOT, LowGear, SPDZ2k | `$MP_SPDZ_HOME` is built, or a log is given (`peers/mp_spdz_run.rs`) | figures from elsewhere |
//! | OpenCheetah, SIMC | never: they have no package | figures from elsewhere |
//!
//! Bytes and times are of a whole batch, offline and online parts together; ratios are the peer's figure over serin's. A semi-honest
//! peer keeps its secrets only from ends that follow the protocol. SPU counts messages, not rounds, and uses all cores. Setup is what is
//! sent once for many batches, outside all other columns.
//!
//! Serin's rows are private against a malicious server; that an answer is right is another matter: wrong ones are caught by mixing, which costs
//! B copies of each question and T canaries on top of these figures. What that comes to is measured on the MLP (`peers/mixed.rs`).

#[path = "peers/elsewhere.rs"]
mod elsewhere;
#[path = "peers/mixed.rs"]
mod mixed;
#[path = "peers/mp_spdz.rs"]
mod mp_spdz;
#[path = "peers/mp_spdz_run.rs"]
mod mp_spdz_run;
#[path = "peers/network.rs"]
mod network;
#[path = "peers/relu.rs"]
mod relu;
#[path = "peers/report.rs"]
mod report;
#[path = "peers/run.rs"]
mod run;
#[path = "peers/table.rs"]
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use mixed::Mixed;
use mp_spdz_run::{Given, PROTOCOLS, system};
use network::Network;
use relu::Relu;
use run::{Absent, Measured, Outcome};
use table::Row;

/// Serin's private inference beside that of peers
#[derive(Parser)]
struct Options {
    /// The folder of the networks' ONNX files
    #[arg(long, value_name = "FOLDER")]
    models: Option<PathBuf>,
    /// Networks; resnet20 is skipped where its file is missing
    #[arg(
        long,
        value_name = "NAME,..",
        value_delimiter = ',',
        default_value = "mlp_784_128_128_10,mnist_net"
    )]
    networks: Vec<Network>,
    /// Batch sizes
    #[arg(long, value_name = "N,..", value_delimiter = ',', default_value = "1,16")]
    batch: Vec<usize>,
    /// What party 0 of MP-SPDZ printed on the MLP, read instead of running it: mascot=FILE, or mascot@16=FILE for a batch of 16
    #[arg(long, value_name = "PROTOCOL=FILE")]
    mp_spdz_log: Vec<Given>,
    /// Another build of serin to measure
    #[arg(long, value_name = "PROGRAM", default_value = env!("CARGO_BIN_EXE_serin"))]
    serin: PathBuf,
    /// Print the rows as JSON instead of tables
    #[arg(long)]
    json: bool,
    /// As cargo passes it
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let mut found = Found::default();
    found.all(&options);
    let (rows, relu) = found.beside_figures(&options.networks, &options.batch);
    if options.json {
        match serde_json::to_string_pretty(&rows) {
            Ok(json) => println!("{json}"),
            Err(error) => found.failed.push(format!("the rows do not become JSON: {error}")),
        }
    } else {
        table::print(&rows);
        println!("\n{}", table::LEGEND);
        println!("\nbytes a ReLU:");
        for line in relu {
            println!("  {line}");
        }
        if let Some(mixed) = &found.mixed {
            println!(
                "\none answer of a thousand by the MLP, with 5 copies of each and 4 canaries, 44.6 bits:"
            );
            println!("  serin, private and mixed {mixed}");
            rows.iter().filter_map(|row| mixed.beside(row)).for_each(|line| println!("  {line}"));
        }
        println!("{}", elsewhere::FUSION);
    }
    for message in &found.failed {
        eprintln!("failed: {message}");
    }
    if found.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What was measured, and what was not.
#[derive(Default)]
struct Found {
    rows: Vec<Row>,
    relus: Vec<Relu>,
    mixed: Option<Mixed>,
    skipped: Vec<String>,
    failed: Vec<String>,
}

impl Found {
    fn all(&mut self, options: &Options) {
        let Options { models, batch, serin, mp_spdz_log, .. } = options;
        let models = models.as_deref();
        let networks = self.there(&options.networks, models);
        if !networks.is_empty() {
            self.add(table::SERIN, run::serin(serin, models, &networks, batch));
            self.add("SPU Cheetah", run::spu(models, &networks, batch));
        }
        if networks.contains(&Network::Mlp) {
            self.mixed = self.take("serin, mixed", mixed::serin(serin, models));
        }
        // MP-SPDZ's program and logs are of the MLP.
        for protocol in PROTOCOLS.into_iter().filter(|_| networks.contains(&Network::Mlp)) {
            for &batch in batch {
                let row = self.take(&system(protocol.0), mp_spdz_run::row(protocol, batch, mp_spdz_log));
                self.rows.extend(row);
            }
        }
    }

    /// The networks but for ResNet-20 where its file is missing; says so.
    fn there(&mut self, networks: &[Network], models: Option<&Path>) -> Vec<Network> {
        let (networks, left_out): (Vec<Network>, Vec<_>) = networks.iter().partition(|network| {
            **network != Network::Resnet20 || models.is_some_and(|models| network.file(models).is_some())
        });
        for network in left_out {
            let name = network.name();
            let why = format!("no {name}.onnx in --models or in cifar10 beside it");
            let _ = self.take::<()>(name, Ok(Err(Absent(why))));
        }
        networks
    }

    /// Adds what a system gave.
    fn add(&mut self, system: &str, outcome: Outcome<Measured>) {
        if let Some((rows, relu)) = self.take(system, outcome) {
            self.rows.extend(rows);
            self.relus.extend(relu);
        }
    }

    /// What a peer gave; says why if it gave nothing.
    fn take<T>(&mut self, system: &str, outcome: Outcome<T>) -> Option<T> {
        match outcome.with_context(|| system.to_owned()) {
            Ok(Ok(given)) => return Some(given),
            Ok(Err(Absent(why))) => {
                let message = format!("skipped: {system}: {why}");
                // A peer is asked once a batch size.
                if !self.skipped.contains(&message) {
                    eprintln!("{message}");
                    self.skipped.push(message);
                }
            }
            Err(error) => self.failed.push(format!("{error:#}")),
        }
        None
    }

    /// All rows, with figures from elsewhere for the peers that have none, and what is known of the bytes of a ReLU.
    fn beside_figures(&self, networks: &[Network], batches: &[usize]) -> (Vec<Row>, Vec<String>) {
        let measured = |system: &str| self.rows.iter().any(|row| row.system == system);
        let mut rows = self.rows.clone();
        rows.extend(elsewhere::rows(networks, batches, measured));
        let relus = self.relus.iter().map(Relu::to_string);
        let elsewhere = elsewhere::relu(measured)
            .map(|(system, bytes)| format!("{system} {bytes:.1} (published or measured elsewhere)"));
        (rows, relus.chain(elsewhere).collect())
    }
}
