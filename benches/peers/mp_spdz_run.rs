//! The maliciously secure two-party protocols of MP-SPDZ on the MLP, where it is built, or from logs of such runs.
//!
//! `MP_SPDZ_HOME` names the folder with `PROTOCOL-party.x`. The network is a program of yours, of the name of the ONNX file; party 0 is
//! the server and gives the weights, party 1 the client and gives the inputs. Compile it for each batch size, for a ring and for a
//! prime field: a program's arguments become part of the name that it is found by.
//!
//! ```text
//! ./compile.py -R 64 mlp_784_128_128_10 16 ring     for spdz2k
//! ./compile.py -F 64 mlp_784_128_128_10 16 field    for mascot and lowgear
//! ```
//!
//! Both parties run here over loopback with `-v`, preprocessing included.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::str::FromStr;
use std::thread;

use anyhow::{Context, Result, ensure};

use super::mp_spdz::Log;
use super::network::Network;
use super::run::{Absent, Outcome};
use super::table::{Row, Source};

/// The protocols, and the domain that each one's program is compiled for.
pub(crate) const PROTOCOLS: [(&str, &str); 3] =
    [("mascot", "field"), ("lowgear", "field"), ("spdz2k", "ring")];

/// A log to be read instead of a run: `PROTOCOL=FILE` for a batch of one, `PROTOCOL@BATCH=FILE` for more.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    protocol: &'static str,
    batch: usize,
    file: PathBuf,
}

impl FromStr for Given {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (run, file) =
            text.split_once('=').context("a log is given as PROTOCOL=FILE or PROTOCOL@BATCH=FILE")?;
        let (name, batch) = run.split_once('@').unwrap_or((run, "1"));
        let protocol = PROTOCOLS.into_iter().find(|(protocol, _)| *protocol == name);
        let (protocol, _) = protocol.context("a protocol is mascot, lowgear or spdz2k")?;
        Ok(Self {
            protocol,
            batch: batch.parse().context("a batch size is a whole number")?,
            file: file.into(),
        })
    }
}

/// A protocol's row for a batch size: from a log if one is given, or else from a run.
pub(crate) fn row(protocol: (&'static str, &str), batch: usize, given: &[Given]) -> Outcome<Row> {
    let log = given.iter().find(|given| given.protocol == protocol.0 && given.batch == batch);
    if let Some(Given { file, .. }) = log {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let log = text.parse().with_context(|| file.display().to_string())?;
        return Ok(Ok(log_row(protocol.0, batch, &log, Source::Log)));
    }
    let [server, client] = match run(protocol, batch)? {
        Ok(logs) => logs,
        Err(absent) => return Ok(Err(absent)),
    };
    let row = log_row(protocol.0, batch, &server, Source::Measured);
    Ok(Ok(Row { wall_s: Some(server.wall_s.max(client.wall_s)), client_cpu_s: client.cpu_s, ..row }))
}

/// Name of a protocol's rows.
pub(crate) fn system(protocol: &str) -> String {
    format!("MP-SPDZ, {protocol}")
}

fn log_row(protocol: &str, batch: usize, log: &Log, source: Source) -> Row {
    Row {
        bytes: Some(log.bytes),
        rounds: Some(log.rounds),
        wall_s: Some(log.wall_s),
        server_cpu_s: log.cpu_s,
        ..Row::new(Network::Mlp.name(), batch, &system(protocol), "malicious", source)
    }
}

/// Runs both parties; the server's log first.
fn run((protocol, domain): (&str, &str), batch: usize) -> Outcome<[Log; 2]> {
    let Some(home) = env::var_os("MP_SPDZ_HOME").map(PathBuf::from) else {
        return Ok(Err(Absent(
            "name the folder of a built MP-SPDZ in MP_SPDZ_HOME, or give a log with --mp-spdz-log PROTOCOL=FILE".into(),
        )));
    };
    let program = format!("{}-{batch}-{domain}", Network::Mlp.name());
    let (party, schedule) = (format!("{protocol}-party.x"), format!("Programs/Schedules/{program}.sch"));
    if let Some(missing) = [&party, &schedule].into_iter().find(|file| !home.join(file).is_file()) {
        return Ok(Err(Absent(format!(
            "there is no {missing} in {}: build and compile it as benches/peers/mp_spdz_run.rs says",
            home.display()
        ))));
    }
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let port = port.context("no free port on loopback")?.port().to_string();
    let end = |number: &str| {
        one(&home, &[number, "-v", &program, "-pn", &port, "-h", "localhost", "-N", "2"], &party)
    };
    let [server, client] = thread::scope(|scope| {
        let client = scope.spawn(|| end("1"));
        [end("0"), client.join().expect("a party's thread does not panic")]
    });
    Ok(Ok([server?, client?]))
}

fn one(home: &Path, arguments: &[&str], party: &str) -> Result<Log> {
    let mut command = Command::new(home.join(party));
    command.current_dir(home).args(arguments).stdin(Stdio::null());
    let Output { status, stderr, .. } =
        command.output().with_context(|| format!("cannot start {command:?}"))?;
    let text = String::from_utf8_lossy(&stderr);
    ensure!(status.success(), "{command:?} ended with {status}:\n{text}");
    text.parse().with_context(|| format!("{command:?}"))
}
