//! What one ReLU takes.

use std::fmt;

use super::network::Network;
use super::report::{Serin, Spu};
use super::table::SERIN;

/// Bytes, and CPU seconds of either party, for one ReLU; offline and online parts together, without the setup.
pub(crate) struct Relu {
    system: &'static str,
    bytes_to_server: f64,
    bytes_to_client: f64,
    server_cpu_s: f64,
    client_cpu_s: f64,
    /// What it was part of and what is counted with it.
    told_by: &'static str,
}

/// Serin's, from the ReLUs of the MLP at a batch of 16 if they are among the reports.
pub(crate) fn serin(network: Network, reports: &[Serin]) -> Option<Relu> {
    let report = reports.iter().find(|report| network == Network::Mlp && report.batch == BATCH)?;
    let nodes: Vec<_> = report.nodes.iter().filter(|node| node.kind == "rescale+relu").collect();
    let a_relu = |total: f64| total / (BATCH * RELUS) as f64;
    (!nodes.is_empty()).then(|| Relu {
        system: SERIN,
        bytes_to_server: a_relu(nodes.iter().map(|node| node.bytes_to_server as f64).sum()),
        bytes_to_client: a_relu(nodes.iter().map(|node| node.bytes_to_client as f64).sum()),
        server_cpu_s: a_relu(
            nodes.iter().map(|node| node.offline_cpu_s.server + node.online_cpu_s.server).sum(),
        ),
        client_cpu_s: a_relu(
            nodes.iter().map(|node| node.offline_cpu_s.client + node.online_cpu_s.client).sum(),
        ),
        told_by: "the MLP's at batch 16; exact rounding and clamping included",
    })
}

/// SPU's, from a run of nothing but ReLUs.
pub(crate) fn spu(report: &Spu) -> Relu {
    let a_relu = |total: f64| total / 65536.0;
    Relu {
        system: "SPU Cheetah",
        bytes_to_server: a_relu(report.bytes_to_server as f64),
        // Inside a network nobody sends the outputs.
        bytes_to_client: a_relu((report.bytes_to_client - report.answer_bytes) as f64),
        server_cpu_s: a_relu(report.server_cpu_s),
        client_cpu_s: a_relu(report.client_cpu_s),
        told_by: "65536 alone; neither rounds nor clamps",
    }
}

impl fmt::Display for Relu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { system, bytes_to_server, bytes_to_client, server_cpu_s, client_cpu_s, told_by } = self;
        write!(
            f,
            "{system} {:.1}: {bytes_to_server:.1} up, {bytes_to_client:.1} down; CPU {:.2} µs server, {:.2} µs client (measured in this \
             run: {told_by})",
            bytes_to_server + bytes_to_client,
            server_cpu_s * 1e6,
            client_cpu_s * 1e6,
        )
    }
}

const BATCH: usize = 16;

/// ReLUs of the MLP, a sample.
const RELUS: usize = 256;
