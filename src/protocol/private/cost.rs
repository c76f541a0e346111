//! What private inference cost, by node: bytes, rounds, time.
//!
//! Bytes are those of the frames, rounds turns from sending to receiving at this end, `wall_s` seconds by the clock, waiting included,
//! `cpu_s` CPU seconds of this process, all threads together: with several conversations at once in one process they count for each.
//! What the ends do at the same time is counted at both.

use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use serde::{Deserialize, Serialize};
use serin_circuits::graph::Graph;

use crate::net::{Channel, Meter};

/// What a part of a conversation cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Bytes sent, frames included.
    pub sent: u64,
    /// Bytes received, frames included.
    pub received: u64,
    /// Turns from sending to receiving.
    pub rounds: u64,
    /// Seconds by the clock.
    pub wall_s: f64,
    /// CPU seconds of the process.
    pub cpu_s: f64,
}

/// What one node cost, before the question and after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeCost {
    /// Its name; `answer` for the opening of the answer.
    pub node: String,
    /// Its operator.
    pub kind: String,
    /// Preparing a lot.
    pub offline: Cost,
    /// Spending it.
    pub online: Cost,
}

/// What a conversation cost at this end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// Positions of the lots spent.
    pub positions: usize,
    /// Keys and base transfers, once a conversation.
    pub setup: Cost,
    /// By node in order, the answer last.
    pub nodes: Vec<NodeCost>,
}

/// When a cost falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Offline,
    Online,
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        let Self { sent, received, rounds, wall_s, cpu_s } = other;
        self.sent += sent;
        self.received += received;
        self.rounds += rounds;
        self.wall_s += wall_s;
        self.cpu_s += cpu_s;
    }
}

impl std::iter::Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), |mut sum, cost| {
            sum += cost;
            sum
        })
    }
}

impl Ledger {
    /// An empty one for this graph.
    pub fn new(graph: &Graph) -> Self {
        let node = |node: String, kind: &str| NodeCost {
            node,
            kind: kind.into(),
            offline: Cost::default(),
            online: Cost::default(),
        };
        let nodes = graph.nodes().iter().map(|of| node(of.name.clone(), of.op.kind()));
        let nodes = nodes.chain([node("answer".into(), "open")]).collect();
        Self { positions: 0, setup: Cost::default(), nodes }
    }

    /// Everything before the questions but the set-up.
    pub fn offline(&self) -> Cost {
        self.nodes.iter().map(|node| node.offline).sum()
    }

    /// Everything from the questions on.
    pub fn online(&self) -> Cost {
        self.nodes.iter().map(|node| node.online).sum()
    }

    pub(super) fn book(&mut self, phase: Phase, node: usize, cost: Cost) {
        let node = &mut self.nodes[node];
        match phase {
            Phase::Offline => node.offline += cost,
            Phase::Online => node.online += cost,
        }
    }
}

/// Measures what passes between two looks at it.
pub(super) struct Watch {
    meter: Meter,
    wall: Instant,
    cpu: Duration,
}

impl Watch {
    pub(super) fn start(channel: &dyn Channel) -> Self {
        Self { meter: channel.meter(), wall: Instant::now(), cpu: cpu() }
    }

    /// What it cost since the last look.
    pub(super) fn lap(&mut self, channel: &dyn Channel) -> Cost {
        let now = Self::start(channel);
        let cost = Cost {
            sent: now.meter.sent - self.meter.sent,
            received: now.meter.received - self.meter.received,
            rounds: now.meter.rounds - self.meter.rounds,
            wall_s: (now.wall - self.wall).as_secs_f64(),
            cpu_s: now.cpu.saturating_sub(self.cpu).as_secs_f64(),
        };
        *self = now;
        cost
    }
}

/// CPU time of the process; zero where the system does not say.
fn cpu() -> Duration {
    ProcessTime::try_now().map(|now| now.as_duration()).unwrap_or_default()
}
