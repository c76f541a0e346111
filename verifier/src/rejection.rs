//! Why a proof was not believed: where, what, and whom it blames.
//!
//! A [`Rejection`] is a verdict about somebody else. A model that is malformed is a
//! [`GraphError`](serin_circuits::graph::GraphError); a job we could not finish is an error of the caller's crate.

use std::fmt;

use serin_circuits::codec::DecodeError;

/// A proof or statement that is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {fault}")]
pub struct Rejection {
    /// Where the check stands that failed.
    pub place: Place,
    /// What it found.
    pub fault: Fault,
}

/// The part of a statement or proof that is being checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The card against the graph.
    Card,
    /// Inputs, outputs, names.
    Statement,
    /// The proof's header and its end.
    Proof,
    /// One node of the graph.
    Node {
        /// Its position.
        index: usize,
        /// Its name.
        name: String,
    },
    /// The look-ups of all non-linear nodes.
    Lookups,
    /// What is left of all nodes, against the columns committed with the batch.
    Columns,
    /// The opening of those columns.
    ColumnsOpening,
    /// The merging of all weight claims into one.
    Claims,
    /// The opening of the weight commitment.
    Opening,
    /// What was said on the way to an answer, where a protocol talks more than once.
    Conversation,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Card => f.write_str("card"),
            Place::Statement => f.write_str("statement"),
            Place::Proof => f.write_str("proof"),
            Place::Node { index, name } => write!(f, "node {index} `{name}`"),
            Place::Lookups => f.write_str("look-ups"),
            Place::Columns => f.write_str("activation claims"),
            Place::ColumnsOpening => f.write_str("activation opening"),
            Place::Claims => f.write_str("weight claims"),
            Place::Opening => f.write_str("weight opening"),
            Place::Conversation => f.write_str("conversation"),
        }
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The bytes do not decode.
    #[error("malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// The card is not one this version takes.
    #[error("{0}; fetch the card again from a source you trust")]
    Card(String),
    /// The graph is not the one the card pins.
    #[error("the graph is not the one the card pins; fetch the card again from a source you trust")]
    Graph,
    /// The weights' layout is larger than a verifier takes.
    #[error("the model is larger than this verifier takes")]
    TooLarge,
    /// The question does not fit the graph.
    #[error("the question does not fit the model: {0}")]
    Question(String),
    /// The answer has another shape than the question calls for, or a value the model cannot produce.
    #[error("the answer does not fit the question: {0}")]
    Answer(String),
    /// The server said what no honest one says.
    #[error("{0}")]
    Conduct(String),
    /// The outputs are not what follows from the revealed activations.
    #[error("the answer of sample {sample} differs from what follows from the activations")]
    Output {
        /// First sample that differs.
        sample: usize,
    },
    /// A linear node's accumulators are not its input times the claimed weights.
    #[error("the accumulators are not the product of the node's input and the claimed weights")]
    Product,
    /// The fractions of a look-up do not sum to zero, or one has no value.
    #[error("a value was looked up that is not in its table")]
    Lookup,
    /// A layer of a look-up's tree of fractions is not the sum of the one below it.
    #[error("the sum of a look-up's fractions does not follow from its terms")]
    Fractions,
    /// What the nodes come to is not what the columns committed with the batch hold.
    #[error("the activations used are not the activations committed to")]
    Columns,
    /// The claimed weights are not the committed ones.
    #[error("the weights used are not the weights committed to")]
    Weights,
    /// An opened column is not in the Merkle tree.
    #[error("an opened column does not belong to the commitment")]
    Path,
    /// The row combination is not consistent with an opened column.
    #[error("the opened row does not agree with column {column} of the commitment")]
    Column {
        /// Position of the column in the codeword.
        column: usize,
    },
    /// A committed row combination is not consistent with the opened columns, or with the value said.
    #[error("the committed row does not agree with the opened columns of the commitment and the value said")]
    Row,
    /// An opened column is not in the Merkle tree of a committed row.
    #[error("an opened column does not belong to the commitment of the row")]
    RowPath,
    /// The combination of a committed row's own rows is not consistent with an opened column.
    #[error("what was opened of the committed row does not agree with column {column} of its own commitment")]
    RowColumn {
        /// Position of the column in the codeword of the row's own rows.
        column: usize,
    },
}

/// Who is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// The server: no honest server's answer can be rejected so.
    Server,
    /// Whoever asked, or wrote the record: the question itself is not one the model takes.
    Asker,
    /// Whoever handed out the card: it does not belong to this model.
    Card,
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Blame::Server => "the server",
            Blame::Asker => "the asker",
            Blame::Card => "the card's issuer",
        })
    }
}

impl Rejection {
    /// A rejection at a place.
    pub fn new(place: Place, fault: impl Into<Fault>) -> Self {
        Self { place, fault: fault.into() }
    }

    /// Whom it blames. The server also chose the graph it sent, so a graph that is not the pinned one is its fault.
    pub fn blame(&self) -> Blame {
        match &self.fault {
            Fault::Question(_) => Blame::Asker,
            Fault::Card(_) | Fault::TooLarge => Blame::Card,
            Fault::Malformed(_)
            | Fault::Graph
            | Fault::Answer(_)
            | Fault::Conduct(_)
            | Fault::Output { .. }
            | Fault::Product
            | Fault::Lookup
            | Fault::Fractions
            | Fault::Columns
            | Fault::Weights
            | Fault::Path
            | Fault::Column { .. }
            | Fault::Row
            | Fault::RowPath
            | Fault::RowColumn { .. } => Blame::Server,
        }
    }
}
