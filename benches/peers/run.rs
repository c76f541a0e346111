//! Runs serin and the peers that are installed, each as processes of its own, and turns what they print into rows.

use std::env;
use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;

use super::network::Network;
use super::relu::{self, Relu};
use super::report::{Serin, Spu, reports};
use super::table::{Online, Row, SERIN, Source};

/// A peer that is not here, and how to bring it.
#[derive(Debug)]
pub(crate) struct Absent(pub(crate) String);

/// What became of a peer.
pub(crate) type Outcome<T> = Result<Result<T, Absent>>;

/// What a system takes for the networks, and for one ReLU if that was measured.
pub(crate) type Measured = (Vec<Row>, Option<Relu>);

/// Serin's private inference of the networks, and its ReLU if the batch to tell it by is among these.
pub(crate) fn serin(
    program: &Path,
    models: Option<&Path>,
    networks: &[Network],
    batches: &[usize],
) -> Outcome<Measured> {
    let Some(models) = models else {
        return Ok(Err(Absent("name the folder of the ONNX files with --models FOLDER".into())));
    };
    let mut files = Vec::new();
    for &network in networks {
        let Some(file) = network.file(models) else {
            return Ok(Err(Absent(format!(
                "{}.onnx is missing in {}: name another folder with --models",
                network.name(),
                models.display()
            ))));
        };
        files.push((network, file));
    }
    let (mut rows, mut relu) = (Vec::new(), None);
    for (network, file) in files {
        let mut command = Command::new(program);
        command.arg("bench").arg(&file).args(["--protocol", "private", "--batch", &list(batches), "--json"]);
        let reports: Vec<Serin> = printed(&mut command)?;
        let reported: Vec<usize> = reports.iter().map(|report| report.batch).collect();
        ensure!(
            reported == batches,
            "{command:?} reports batches {reported:?}: it should be those asked for"
        );
        rows.extend(reports.iter().map(|report| serin_row(network.name(), report)));
        relu = relu.or(relu::serin(network, &reports));
    }
    Ok(Ok((rows, relu)))
}

fn serin_row(network: &str, report: &Serin) -> Row {
    let (offline, online) = (report.offline_cpu_s, report.online_cpu_s);
    Row {
        rounds: Some(report.rounds_offline + report.rounds_online),
        wall_s: Some(report.offline_wall_s + report.online_wall_s),
        server_cpu_s: Some(offline.server + online.server),
        client_cpu_s: Some(offline.client + online.client),
        online: Some(Online {
            rounds: report.rounds_online,
            wall_s: report.online_wall_s,
            server_cpu_s: online.server,
            client_cpu_s: online.client,
        }),
        ..Row::new(network, report.batch, SERIN, "malicious (privacy)", Source::Measured).with_bytes(
            report.bytes_to_server,
            report.bytes_to_client,
            report.setup_bytes,
        )
    }
}

/// SPU's Cheetah on the same networks, and its ReLU.
pub(crate) fn spu(models: Option<&Path>, networks: &[Network], batches: &[usize]) -> Outcome<Measured> {
    let python = env::var_os("SERIN_PEERS_PYTHON").unwrap_or_else(|| "python3".into());
    let there = Command::new(&python).args(["-c", "import spu, onnx"]).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        return Ok(Err(Absent(format!(
            "{} cannot import spu: have it `pip install spu==0.9.5 onnx` (Linux on x86-64, CPython 3.10 or 3.11), or name another in \
             SERIN_PEERS_PYTHON",
            python.display()
        ))));
    }
    let script = |arguments: &[&str]| {
        let mut command = Command::new(&python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/spu_cheetah.py")).args(arguments);
        command
    };
    let names: Vec<&str> = networks.iter().map(|network| network.name()).collect();
    let mut command = script(&["--networks", &names.join(","), "--batch", &list(batches)]);
    command.args(models.into_iter().flat_map(|models| [OsStr::new("--models"), models.as_os_str()]));
    let reports: Vec<Spu> = printed(&mut command)?;
    let rows =
        reports.iter().map(|report| Row {
            messages: Some(report.messages),
            wall_s: Some(report.wall_s),
            server_cpu_s: Some(report.server_cpu_s),
            client_cpu_s: Some(report.client_cpu_s),
            ..Row::new(&report.network, report.batch, "SPU Cheetah", "semi-honest", Source::Measured)
                .with_bytes(report.bytes_to_server, report.bytes_to_client, report.setup_bytes)
        });
    let relus: Vec<Spu> = printed(&mut script(&["--networks", "relu_65536", "--batch", "1"]))?;
    let relu = relus.first().context("spu_cheetah.py measured no ReLU: see what it prints by itself")?;
    Ok(Ok((rows.collect(), Some(relu::spu(relu)))))
}

/// What a command prints once it ends well; what it has to say besides goes to this process's standard error.
pub(crate) fn printed<T: DeserializeOwned>(command: &mut Command) -> Result<Vec<T>> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot start {command:?}"))?;
    ensure!(output.status.success(), "{command:?} ended with {}: see above", output.status);
    reports(&output.stdout).with_context(|| format!("{command:?} does not print what this harness reads"))
}

fn list(batches: &[usize]) -> String {
    batches.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}
