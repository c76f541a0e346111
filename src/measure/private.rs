//! What private inference costs at both ends, by batch and by node, from the ledgers of the two.
//!
//! Figures are means over several batches after one that warms up and exchanges keys. Transfers are drawn from a stock that is refilled
//! when it runs out, so that of small batches only every some pays for a refill; a mean over more batches tells that more finely.

use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};
use serin_circuits::tensor::Tensor;

use crate::protocol::private::{Cost, Ledger, NodeCost};
use crate::protocol::{Client, Protocol, ProtocolError};

/// The costs of one batch in private; bytes with their frames, seconds.
#[derive(Clone, Debug, Serialize)]
pub struct Batch {
    /// Samples.
    pub batch: usize,
    /// Batches measured.
    pub runs: usize,
    /// Bytes of keys and base transfers both ways, once a conversation.
    pub setup_bytes: u64,
    /// Seconds of it.
    pub setup_wall_s: f64,
    /// What a batch costs.
    #[serde(flatten)]
    pub of_batch: Ends,
    /// By node in order, the answer last.
    pub nodes: Vec<Node>,
}

/// What one node costs.
#[derive(Clone, Debug, Serialize)]
pub struct Node {
    /// Its name.
    pub node: String,
    /// Its operator.
    pub kind: String,
    /// Its costs.
    #[serde(flatten)]
    pub costs: Ends,
}

/// A cost at both ends, before the question and after it.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Ends {
    /// Bytes from the client, offline and online.
    #[serde(serialize_with = "whole")]
    pub bytes_to_server: f64,
    /// Bytes from the server, offline and online.
    #[serde(serialize_with = "whole")]
    pub bytes_to_client: f64,
    /// Of both, those after the question.
    #[serde(serialize_with = "whole")]
    pub online_bytes: f64,
    /// The client's turns from sending to receiving.
    #[serde(serialize_with = "whole")]
    pub rounds_offline: f64,
    /// The same, after the question.
    #[serde(serialize_with = "whole")]
    pub rounds_online: f64,
    /// CPU seconds.
    pub offline_cpu_s: Both,
    /// CPU seconds after the question.
    pub online_cpu_s: Both,
    /// Seconds by the client's clock, waiting included.
    pub offline_wall_s: f64,
    /// The same, after the question.
    pub online_wall_s: f64,
}

/// Bytes and rounds are told whole, although they are means.
fn whole<S: Serializer>(mean: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(mean.round() as u64)
}

/// A figure of each end.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Both {
    /// The client's.
    pub client: f64,
    /// The server's.
    pub server: f64,
}

/// Asks batches until about `budget` is spent, at least three, and holds each answer against `expected`. `server` gives the server's
/// ledger once it has so many positions.
///
/// # Errors
/// [`ProtocolError`], or what `server` fails with.
pub fn batch<E: From<ProtocolError>>(
    client: &mut Client,
    inputs: &Tensor,
    budget: Duration,
    mut server: impl FnMut(usize) -> Result<Ledger, E>,
    mut insist: impl FnMut(&Tensor),
) -> Result<Batch, E> {
    let mut run = |client: &mut Client| -> Result<[Option<Ledger>; 2], E> {
        insist(&client.ask(&[0; 32], inputs)?.outputs);
        let ours = client.ledger().cloned();
        let theirs = server(ours.as_ref().map_or(0, |ledger| ledger.positions))?;
        Ok([ours, Some(theirs)])
    };
    client.expect(FORESEEN)?;
    let before = run(client)?;
    let (start, mut runs, mut after) = (Instant::now(), 0, before.clone());
    while runs < LEAST_RUNS || (start.elapsed() < budget && runs < MOST_RUNS) {
        after = run(client)?;
        runs += 1;
    }
    let costs = |of: &[Option<Ledger>; 2]| -> Vec<[NodeCost; 2]> {
        let [client, server] = of.clone().map(|ledger| ledger.map(|ledger| ledger.nodes).unwrap_or_default());
        client.into_iter().zip(server).map(|(client, server)| [client, server]).collect()
    };
    let nodes: Vec<Node> = costs(&before)
        .into_iter()
        .zip(costs(&after))
        .map(|(before, after)| Node {
            node: after[0].node.clone(),
            kind: after[0].kind.clone(),
            costs: Ends::between(&before, &after, runs as f64),
        })
        .collect();
    let setup = after[0].as_ref().map(|ledger| ledger.setup).unwrap_or_default();
    Ok(Batch {
        batch: inputs.batch(),
        runs,
        setup_bytes: setup.sent + setup.received,
        setup_wall_s: setup.wall_s,
        of_batch: nodes.iter().map(|node| node.costs).fold(Ends::default(), Ends::plus),
        nodes,
    })
}

impl Ends {
    fn between(before: &[NodeCost; 2], after: &[NodeCost; 2], runs: f64) -> Self {
        let mean = |of: fn(&Cost) -> f64, phase: fn(&NodeCost) -> &Cost, end: usize| {
            (of(phase(&after[end])) - of(phase(&before[end]))) / runs
        };
        let [offline, online]: [fn(&NodeCost) -> &Cost; 2] = [|n| &n.offline, |n| &n.online];
        let sent = |phase| mean(|c| c.sent as f64, phase, 0);
        let received = |phase| mean(|c| c.received as f64, phase, 0);
        let cpu = |phase| Both { client: mean(|c| c.cpu_s, phase, 0), server: mean(|c| c.cpu_s, phase, 1) };
        Self {
            bytes_to_server: sent(offline) + sent(online),
            bytes_to_client: received(offline) + received(online),
            online_bytes: sent(online) + received(online),
            rounds_offline: mean(|c| c.rounds as f64, offline, 0),
            rounds_online: mean(|c| c.rounds as f64, online, 0),
            offline_cpu_s: cpu(offline),
            online_cpu_s: cpu(online),
            offline_wall_s: mean(|c| c.wall_s, offline, 0),
            online_wall_s: mean(|c| c.wall_s, online, 0),
        }
    }

    fn plus(self, other: Self) -> Self {
        let both = |a: Both, b: Both| Both { client: a.client + b.client, server: a.server + b.server };
        Self {
            bytes_to_server: self.bytes_to_server + other.bytes_to_server,
            bytes_to_client: self.bytes_to_client + other.bytes_to_client,
            online_bytes: self.online_bytes + other.online_bytes,
            rounds_offline: self.rounds_offline + other.rounds_offline,
            rounds_online: self.rounds_online + other.rounds_online,
            offline_cpu_s: both(self.offline_cpu_s, other.offline_cpu_s),
            online_cpu_s: both(self.online_cpu_s, other.online_cpu_s),
            offline_wall_s: self.offline_wall_s + other.offline_wall_s,
            online_wall_s: self.online_wall_s + other.online_wall_s,
        }
    }
}

/// Positions of a conversation that is worth a stock of transfers.
const FORESEEN: usize = 1 << 20;
const LEAST_RUNS: usize = 3;
const MOST_RUNS: usize = 100;
