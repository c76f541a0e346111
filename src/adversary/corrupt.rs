//! A corrupt server at work.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use serin_circuits::graph::{Fault, Graph, GraphError};
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::Weights;
use serin_verifier::card::Card;
use serin_verifier::script::MerlinCoins;
use serin_verifier::statement::Statement;

use super::{Cheaper, Cheat, coarse, middle};
use crate::protocol::private::{Holder, Unfit};
use crate::protocol::{AnswerError, Answerer, Evidence, Host, Kind, Offer, Reply};
use crate::prover::Model;
use crate::prover::infer::{Trace, infer_altered, infer_traced};

/// A server that promises one model and does something else.
#[derive(Debug)]
pub struct Corrupt {
    pub(super) promised: Host,
    pub(super) cheat: Cheat,
    /// The model it commits to in the promised one's stead, where it does.
    pub(super) standin: Option<Host>,
    /// The weights that it computes with in private, where they are others.
    pub(super) others: Option<Weights>,
    older: Mutex<Option<(Kind, Reply)>>,
}

/// What it says: answers, and the activations it will prove them from.
struct Lie {
    outputs: Tensor,
    trace: Trace,
}

impl Corrupt {
    /// A server that promises what `promised` does, and cheats.
    ///
    /// # Errors
    /// [`GraphError`], if the promised model cannot be made coarse, or its stand-in not be computed in private where the promised one is.
    pub fn new(promised: Host, cheat: Cheat) -> Result<Self, GraphError> {
        let model = promised.model();
        let Card { server, accuracy, .. } = promised.card();
        let standin = match &cheat {
            Cheat::Coarse { bits } => {
                let weights = coarse(model.graph(), model.weights(), *bits)?;
                Some(Model::new(model.graph().clone(), weights))
            }
            Cheat::Overclaim(Cheaper { graph, weights }) => Some(Model::new(graph.clone(), weights.clone())),
            _ => None,
        };
        let standin = standin.map(|model| Host::new(server, model, *accuracy));
        let standin = match standin {
            Some(host) if promised.offer().most(Kind::Private) > 0 => {
                Some(host.with_private().map_err(refused)?)
            }
            standin => standin,
        };
        let (graph, weights) = (promised.model().graph(), promised.model().weights());
        let others = match &cheat {
            Cheat::Coarse { bits } | Cheat::Lots { bits } => Some(coarse(graph, weights, *bits)?),
            Cheat::Weight => Some(without_greatest(graph, weights)),
            Cheat::Fitted(weights) => Some(weights.clone()),
            _ => None,
        };
        Ok(Self { promised, cheat, standin, others, older: Mutex::default() })
    }

    /// What it does.
    pub fn cheat(&self) -> &Cheat {
        &self.cheat
    }

    /// Whose card and graph it shows.
    pub(super) fn shown(&self) -> &Host {
        match (&self.cheat, &self.standin) {
            (Cheat::Overclaim(_), Some(standin)) => standin,
            _ => &self.promised,
        }
    }

    fn lie(&self, inputs: &Tensor) -> Lie {
        let model = self.promised.model();
        let (graph, weights) = (model.graph(), model.weights());
        let truth = |outputs: &dyn Fn(&Tensor) -> Tensor| {
            let trace = model.infer(inputs);
            Lie { outputs: outputs(trace.output()), trace }
        };
        let of = |trace: Trace| Lie { outputs: trace.output().clone(), trace };
        match &self.cheat {
            Cheat::Coarse { .. } | Cheat::Overclaim(_) => of(self.prover().infer(inputs)),
            Cheat::Substitute(cheaper) => truth(&|_| cheaper.answers(graph, inputs)),
            Cheat::Logit => truth(&|outputs| raise(graph, outputs)),
            Cheat::Weight => of(infer_traced(graph, &without_greatest(graph, weights), inputs)),
            Cheat::Activation { recomputed } => of(change(model, inputs, *recomputed)),
            // In the clear, the last five are honest.
            Cheat::Replay
            | Cheat::Fitted(_)
            | Cheat::Shares { .. }
            | Cheat::Lots { .. }
            | Cheat::Garble { .. }
            | Cheat::Hang { .. } => truth(&Tensor::clone),
            Cheat::Swap => truth(&swap),
            Cheat::Recognise { known, cheaper } => truth(&|outputs| {
                let known: HashSet<_> = (0..known.batch()).map(|n| known.sample(n)).collect();
                let cheap = cheaper.answers(graph, inputs);
                let pick =
                    |n| if known.contains(inputs.sample(n)) { outputs.sample(n) } else { cheap.sample(n) };
                assemble(outputs, pick)
            }),
        }
    }

    /// The model it proves with.
    fn prover(&self) -> &Model {
        self.standin.as_ref().unwrap_or(&self.promised).model()
    }

    fn replayed(&self, kind: Kind, batch: usize) -> Option<Reply> {
        let older = self.older.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |(of, reply): &&(Kind, Reply)| *of == kind && reply.outputs.batch() == batch;
        older.as_ref().filter(fits).map(|(_, reply)| reply.clone())
    }
}

impl Answerer for Corrupt {
    fn card(&self) -> &Card {
        self.shown().card()
    }

    fn graph(&self) -> &Graph {
        self.shown().graph()
    }

    fn offer(&self) -> Offer {
        self.shown().offer()
    }

    fn answer(&self, kind: Kind, session: &[u8; 32], inputs: &Tensor) -> Result<Reply, AnswerError> {
        let replays = matches!(self.cheat, Cheat::Replay);
        if let Some(reply) = self.replayed(kind, inputs.batch()).filter(|_| replays) {
            return Ok(reply);
        }
        let Lie { outputs, trace } = self.lie(inputs);
        let evidence = match kind {
            Kind::Plain | Kind::Private => Evidence::None,
            Kind::Proved(mode) => {
                let (graph, Card { server, weights, .. }) = (self.graph(), self.card());
                let statement =
                    Statement { mode, graph, weights, server, session, inputs, outputs: &outputs };
                Evidence::Proof(self.prover().prove_statement(MerlinCoins::new(), &statement, &trace)?)
            }
        };
        let reply = Reply { outputs, evidence };
        if replays {
            *self.older.lock().unwrap_or_else(PoisonError::into_inner) = Some((kind, reply.clone()));
        }
        Ok(reply)
    }

    fn holder(&self) -> Option<&dyn Holder> {
        self.cheat.applies(Kind::Private).then_some(self)
    }
}

/// A stand-in that cannot be computed in private.
fn refused(unfit: Unfit) -> GraphError {
    GraphError { node: unfit.node, fault: Fault::Parameter(unfit.fault.to_string()) }
}

/// The first answer with its least output raised above the greatest, as far as the graph's range allows.
fn raise(graph: &Graph, outputs: &Tensor) -> Tensor {
    let mut outputs = outputs.clone();
    let len = outputs.sample_len();
    let Some(first) = outputs.values_mut().get_mut(..len) else { return outputs };
    let greatest = first.iter().copied().max().unwrap_or(0);
    if let Some(least) = first.iter_mut().min() {
        let raised = greatest.saturating_add(1).min(graph.output().range.high);
        // Where the least is the greatest and nothing is above it, it is lowered.
        *least = if raised == *least { graph.output().range.low } else { raised };
    }
    outputs
}

/// The first two answers that differ, exchanged.
fn swap(outputs: &Tensor) -> Tensor {
    let other = (1..outputs.batch()).find(|n| outputs.sample(*n) != outputs.sample(0)).unwrap_or(0);
    assemble(outputs, |n| match n {
        0 => outputs.sample(other),
        n if n == other => outputs.sample(0),
        n => outputs.sample(n),
    })
}

/// A tensor like `like`, of these samples.
fn assemble<'a>(like: &Tensor, sample: impl Fn(usize) -> &'a [i32]) -> Tensor {
    let values = (0..like.batch()).flat_map(sample).copied().collect();
    Tensor::new(like.batch(), like.shape(), values).expect("every sample is one of the same size")
}

/// The weights, but for the greatest of the middle linear node, which is 0.
fn without_greatest(graph: &Graph, weights: &Weights) -> Weights {
    let mut tensors = weights.tensors().to_vec();
    if let Some(greatest) = tensors[middle(graph)].weight.iter_mut().max_by_key(|w| w.unsigned_abs()) {
        *greatest = 0;
    }
    Weights::new(graph, tensors).unwrap_or_else(|_| weights.clone())
}

/// The honest trace with the first accumulator of the middle linear node at an end of its range.
fn change(model: &Model, inputs: &Tensor, recomputed: bool) -> Trace {
    let (graph, weights, at) = (model.graph(), model.weights(), middle(model.graph()));
    let range = graph.linears().nth(at).map(|(index, _)| graph.nodes()[index].output.range);
    let off = |accumulators: &mut Tensor| {
        if let (Some(first), Some(range)) = (accumulators.values_mut().first_mut(), range) {
            *first = if *first < range.high { range.high } else { range.low };
        }
    };
    let altered = infer_altered(graph, weights, inputs, &mut |index, accumulators| {
        if index == at {
            off(accumulators);
        }
    });
    // The accumulators of an only linear node may be the answers themselves: nothing is left to keep honest.
    if recomputed || graph.linears().count() == 1 {
        return altered;
    }
    let accumulators = altered.layers()[at].accumulators.as_ref().clone();
    model.infer(inputs).with_accumulators(at, accumulators)
}
