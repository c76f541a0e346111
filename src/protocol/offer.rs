//! What a server takes: how many samples at once, and which kinds of question.
//!
//! A server says it with its card, so that a client need not try; it holds every question against it all the same.

use serin_circuits::graph::{Graph, GraphError};
use serin_verifier::lookup::plan::Plan;
use serin_verifier::proof::Mode;
use serin_verifier::statement::most_samples;

use super::Kind;

/// The most samples taken at once, for each of [`Kind::ALL`]; 0 where a kind is not offered. In private, those of one lot: a batch may
/// take several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer(pub(super) [usize; Kind::ALL.len()]);

/// A question that is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Declined {
    /// Nobody can prove it so.
    #[error("this model cannot be proved in mode succinct: {0}; ask in mode revealed")]
    Unprovable(GraphError),
    /// This server does not answer so.
    #[error("this server answers no `{kind}` question; it takes {taken}")]
    Kind {
        /// What was asked.
        kind: Kind,
        /// What it takes.
        taken: Offer,
    },
    /// No batch of this size is taken.
    #[error("{batch} samples {}, where this server takes 1 to {most} of `{kind}`; ask fewer at once", whole(*.kind))]
    Batch {
        /// How it was asked.
        kind: Kind,
        /// Samples asked.
        batch: usize,
        /// Samples taken.
        most: usize,
    },
}

impl std::fmt::Display for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let taken = Kind::ALL.into_iter().filter(|kind| self.most(*kind) > 0);
        let names: Vec<String> = taken.map(|kind| format!("`{kind}`")).collect();
        f.write_str(if names.is_empty() { "nothing" } else { "" })?;
        f.write_str(&names.join(" and "))
    }
}

impl Offer {
    /// All that a verifier takes of this graph and a server's memory should bear. Whether it is computed in private depends on the weights
    /// too: see [`Offer::with_private`].
    pub fn of(graph: &Graph) -> Self {
        let [bounded, most] = [most_bounded(graph), most_looked_up(graph).unwrap_or(0)];
        Self(Kind::ALL.map(|kind| match kind {
            Kind::Plain | Kind::Proved(Mode::Revealed) => bounded,
            Kind::Proved(Mode::Succinct) => most.min(bounded),
            Kind::Private => 0,
        }))
    }

    /// The same, and lots of at most `positions` in private.
    #[must_use]
    pub fn with_private(mut self, positions: usize) -> Self {
        for (kind, most) in Kind::ALL.into_iter().zip(&mut self.0) {
            if kind == Kind::Private {
                *most = positions;
            }
        }
        self
    }

    /// The most samples of a question of this kind.
    pub fn most(&self, kind: Kind) -> usize {
        Kind::ALL.into_iter().zip(self.0).find(|(of, _)| *of == kind).map_or(0, |(_, most)| most)
    }

    /// The most samples of any question that is asked in the clear.
    pub fn largest(&self) -> usize {
        Kind::ALL
            .into_iter()
            .filter(|kind| !kind.hides_questions())
            .map(|kind| self.most(kind))
            .max()
            .unwrap_or(0)
    }

    /// The same, but no more than `samples` at once.
    #[must_use]
    pub fn limited(self, samples: usize) -> Self {
        Self(self.0.map(|most| most.min(samples)))
    }

    /// The same, but no proof in another mode. What is answered without one shows less than any proof.
    #[must_use]
    pub fn only(self, mode: Mode) -> Self {
        let keep = |kind: Kind| kind.mode().is_none_or(|of| of == mode);
        Self(Kind::ALL.map(|kind| if keep(kind) { self.most(kind) } else { 0 }))
    }

    /// Whether a batch over `graph` is taken.
    ///
    /// # Errors
    /// [`Declined`] says why not.
    pub fn check(&self, kind: Kind, batch: usize, graph: &Graph) -> Result<(), Declined> {
        let most = self.most(kind);
        match most {
            0 if kind == Kind::Proved(Mode::Succinct) => {
                Plan::of(graph, 1).map_err(Declined::Unprovable)?;
                Err(Declined::Kind { kind, taken: *self })
            }
            0 => Err(Declined::Kind { kind, taken: *self }),
            _ if !(1..=most).contains(&batch) => Err(Declined::Batch { kind, batch, most }),
            _ => Ok(()),
        }
    }
}

/// What a kind's samples are counted in.
fn whole(kind: Kind) -> &'static str {
    if kind.hides_questions() { "in a lot" } else { "in a batch" }
}

/// The most samples whose widest tensor is borne.
fn most_bounded(graph: &Graph) -> usize {
    let ports = graph.nodes().iter().map(|node| node.output.len());
    let widest = ports.chain([graph.input().len()]).max().unwrap_or(1);
    (MAX_ENTRIES / widest.max(1)).min(most_samples(graph)).max(1)
}

/// The most samples whose look-ups are borne: a power of two, as their proof is padded to one. One sample that a verifier takes always is.
fn most_looked_up(graph: &Graph) -> Result<usize, GraphError> {
    let mut plan = Plan::of(graph, 1)?;
    let mut most = usize::from(plan.is_within_limits());
    while most > 0 && most < most_samples(graph) {
        plan = plan.resized(2 * most);
        if !plan.is_within_limits() || plan.leaves << plan.batch_bits() > MAX_LEAVES {
            break;
        }
        most *= 2;
    }
    Ok(most)
}

/// Most entries of one tensor over a whole batch that a host takes by default: 256 MiB.
const MAX_ENTRIES: usize = 1 << 26;
/// Most leaves of a look-up tree over a whole batch that a host takes by default, where one sample has no more: at about 100 bytes
/// each, 1.6 GB.
pub const MAX_LEAVES: usize = 1 << 24;
