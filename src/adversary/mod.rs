//! Corrupt servers, as values: each [`Cheat`] is one thing a dishonest server may do, and [`Cheat::catcher`] says what finds it.
//!
//! A [`Corrupt`] server is an [`Answerer`](crate::protocol::Answerer) like the honest [`Host`](crate::protocol::Host): it is served over the same links and
//! judged by the same client. It shows what the checks are for, in demonstrations and in tests; nothing here is of use against
//! somebody else's check.
//!
//! | cheat | proved in `revealed`, found by | proved in `succinct`, found by | over `plain`, found by |
//! |---|---|---|---|
//! | [`Cheat::Coarse`] | the opening of the weights | the same | labelled canaries |
//! | [`Cheat::Substitute`] | the last node | the activation claims | labelled canaries |
//! | [`Cheat::Overclaim`] | labelled canaries *only*: the proof is true | the same | labelled canaries |
//! | [`Cheat::Logit`], [`Cheat::Swap`] | the last node | the activation claims | copies and canaries, with the odds of the mix |
//! | [`Cheat::Weight`], [`Cheat::Activation`] | the middle linear node | the same | copies and canaries, with the odds of the mix |
//! | [`Cheat::Replay`] | the first linear node | the look-ups, or else the last linear node | copies and canaries, with the odds of the mix |
//! | [`Cheat::Recognise`] | the last node | the activation claims | *nothing*: in the clear, a public canary hides nothing |
//!
//! | cheat | in private, found by |
//! |---|---|
//! | [`Cheat::Coarse`], [`Cheat::Overclaim`] | labelled canaries |
//! | [`Cheat::Fitted`] | canaries it has never seen; references it knows are *no* use |
//! | [`Cheat::Logit`], [`Cheat::Weight`], [`Cheat::Activation`], [`Cheat::Shares`], [`Cheat::Lots`] | copies and reference canaries, with the odds of the mix |
//! | [`Cheat::Garble`] | the checks of oblivious transfer, where it is one's message; else copies and canaries |
//! | [`Cheat::Hang`] | its silence: there is no answer |
//!
//! What is in one table only does not [apply](Cheat::applies) to the other kind.
//!
//! "The last node" is where answers are held against the last linear node's weights, or, in a graph that ends in another operator,
//! against what follows from the activations. In `succinct` nothing is recomputed: answers and activations are one sum, whose end is held
//! against the committed columns. Whoever is found is the server: [`Blame::Server`](serin_verifier::rejection::Blame).

mod cheaper;
mod corrupt;
mod private;

pub use cheaper::{Cheaper, coarse};
pub use corrupt::Corrupt;

use std::fmt;

use serin_circuits::graph::{Graph, Op};
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::Weights;
use serin_verifier::proof::Mode;
use serin_verifier::rejection::{Fault, Place, Rejection};

use crate::net::Step;
use crate::protocol::Kind;

/// What a dishonest server does.
#[derive(Clone, Debug)]
pub enum Cheat {
    /// Computes with weights of `bits` bits in the promised graph, cheaper to hold and to multiply, and proves what it computed: true of
    /// its own weights, under the card of the promised ones.
    Coarse {
        /// Bits of a weight, sign included: 2 to 8.
        bits: u8,
    },
    /// Answers with another, cheaper architecture, and attaches the best proof there is: the promised model's, of these answers.
    Substitute(Cheaper),
    /// Commits to a cheaper model and proves it honestly, under a card that claims the promised model's accuracy.
    Overclaim(Cheaper),
    /// Raises one losing output of the first answer above the winning one.
    Logit,
    /// Computes with one weight of the middle linear node set to 0: its greatest.
    Weight,
    /// Sets one accumulator of the middle linear node to an end of its range.
    Activation {
        /// Whether everything after it is computed from the changed value, so that no other step is false.
        recomputed: bool,
    },
    /// Answers a batch honestly once, and every later batch of that size with the same bytes.
    Replay,
    /// Exchanges the answers to two questions that differ.
    Swap,
    /// Answers rightly where it recognises the sample, and with a cheaper model where it does not.
    Recognise {
        /// The samples it knows, in the promised graph's integers: the canaries, if they are public.
        known: Tensor,
        /// The model for the rest.
        cheaper: Cheaper,
    },
    /// In private: computes with weights that give the promised answers on samples it knows, and others elsewhere.
    Fitted(Weights),
    /// In private: adds one to its share of one entry of the answer, at so many positions of each lot, drawn at random.
    Shares {
        /// How many.
        positions: usize,
    },
    /// In private: computes every other lot, by its name, with weights of `bits` bits.
    Lots {
        /// Bits of a weight, sign included: 2 to 8.
        bits: u8,
    },
    /// In private: sends noise as message `nth` of a step, counted from 0.
    Garble {
        /// Which.
        step: Step,
        /// Which of them.
        nth: usize,
    },
    /// In private: hangs up instead of saying message `nth` of a step.
    Hang {
        /// Which.
        step: Step,
        /// Which of them.
        nth: usize,
    },
}

/// What finds a cheat.
#[derive(Clone, Debug, PartialEq)]
pub enum Catcher {
    /// The proof is rejected at this place for this kind of fault.
    Proof(Rejection),
    /// Labelled canaries, if enough of them are asked.
    Canaries,
    /// Copies that disagree and reference canaries, with the odds of the mix.
    Mixing,
    /// The client's own checks of transfers: the conversation ends in a rejection.
    Transfers,
    /// Nothing but its silence: the session comes to no end, and no answer is believed.
    Silence,
    /// Nothing that was asked for.
    Nothing,
}

impl Catcher {
    /// Whether `found` is what the proof of a cheat is rejected for: the place, and the kind of fault.
    pub fn is(&self, found: &Rejection) -> bool {
        let same_kind = |a: &Fault, b: &Fault| std::mem::discriminant(a) == std::mem::discriminant(b);
        matches!(self, Self::Proof(rejection) if rejection.place == found.place && same_kind(&rejection.fault, &found.fault))
    }
}

impl fmt::Display for Catcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proof(rejection) => write!(f, "the proof, at {}", rejection.place),
            Self::Canaries => f.write_str("labelled canaries"),
            Self::Mixing => f.write_str("copies and canaries, with the odds of the mix"),
            Self::Transfers => f.write_str("the checks of oblivious transfer"),
            Self::Silence => f.write_str("its silence"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

impl Cheat {
    /// What finds it in a session of this kind over the promised `graph`.
    pub fn catcher(&self, kind: Kind, graph: &Graph) -> Catcher {
        let fault = |place, fault| Catcher::Proof(Rejection::new(place, fault));
        let linear = |nth| fault(place(graph, nth), Fault::Product);
        let last = graph.linears().count().saturating_sub(1);
        let Some(mode) = kind.mode() else {
            return match self {
                Self::Hang { .. } => Catcher::Silence,
                Self::Garble { step, .. } if step.is_oblivious() => Catcher::Transfers,
                Self::Coarse { .. } | Self::Substitute(_) | Self::Overclaim(_) | Self::Fitted(_) => {
                    Catcher::Canaries
                }
                Self::Recognise { .. } => Catcher::Nothing,
                _ => Catcher::Mixing,
            };
        };
        match (self, mode) {
            (Self::Overclaim(_), _) => Catcher::Canaries,
            (Self::Coarse { .. }, _) => fault(Place::Opening, Fault::Path),
            (Self::Weight | Self::Activation { .. }, _) => linear(middle(graph)),
            (Self::Replay, Mode::Revealed) => linear(0),
            (Self::Replay, Mode::Succinct) if looks_up(graph) => fault(Place::Lookups, Fault::Fractions),
            (Self::Replay, Mode::Succinct) => linear(last),
            // What is left: true activations, false answers.
            (_, Mode::Succinct) => fault(Place::Columns, Fault::Columns),
            (_, Mode::Revealed) if graph.nodes().last().is_some_and(|node| node.op.linear().is_some()) => {
                linear(last)
            }
            (_, Mode::Revealed) => fault(Place::Statement, Fault::Output { sample: 0 }),
        }
    }

    /// Whether a question of this kind can be answered so.
    pub fn applies(&self, kind: Kind) -> bool {
        let in_private = matches!(
            self,
            Self::Fitted(_)
                | Self::Shares { .. }
                | Self::Lots { .. }
                | Self::Garble { .. }
                | Self::Hang { .. }
        );
        let in_either = matches!(
            self,
            Self::Coarse { .. } | Self::Overclaim(_) | Self::Logit | Self::Weight | Self::Activation { .. }
        );
        in_either || in_private == kind.hides_questions()
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Coarse { .. } => "coarse weights under the promised commitment",
            Self::Substitute(_) => "a cheaper model's answers under the promised commitment",
            Self::Overclaim(_) => "a cheaper model, honestly committed, that claims too much",
            Self::Logit => "one wrong output",
            Self::Weight => "one altered weight",
            Self::Activation { recomputed: false } => "one wrong activation",
            Self::Activation { recomputed: true } => "one wrong activation, and all that follows from it",
            Self::Replay => "an older answer, replayed",
            Self::Swap => "two answers exchanged",
            Self::Recognise { .. } => "right on known samples, cheap on the rest",
            Self::Fitted(_) => "a model fitted to known samples",
            Self::Shares { .. } => "a wrong share of some answers",
            Self::Lots { .. } => "coarser weights for half of the positions",
            Self::Garble { step, .. } if step.is_oblivious() => "noise instead of a transfer's message",
            Self::Garble { .. } => "noise instead of a ciphertext or share",
            Self::Hang { .. } => "hanging up half-way",
        }
    }
}

/// The linear node in the middle, never the last of several.
pub(crate) fn middle(graph: &Graph) -> usize {
    graph.linears().count().saturating_sub(1) / 2
}

/// Whether a graph has a node that is proved by look-ups.
fn looks_up(graph: &Graph) -> bool {
    graph.nodes().iter().any(|node| matches!(node.op, Op::Rescale { .. } | Op::MaxPool(_)))
}

fn place(graph: &Graph, nth_linear: usize) -> Place {
    let index = graph.linears().nth(nth_linear).map_or(0, |(index, _)| index);
    let name = graph.nodes().get(index).map_or_else(String::new, |node| node.name.clone());
    Place::Node { index, name }
}
