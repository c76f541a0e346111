//! The public card a client pins: which model a server promises.
//!
//! JSON with hexadecimal digests, so that a person can read and compare it. A card is worth what its source is worth: get it
//! from somewhere other than the connection it is to check.

use serde::{Deserialize, Serialize};
use serin_circuits::codec::Digest;
use serin_circuits::graph::Graph;

use crate::limits;
use crate::rejection::{Fault, Place, Rejection};

/// The commitment scheme this version reads; part of every card.
pub const SCHEME: &str = "ligero-goldilocks-rs4-sha256";

/// What a server promises.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// The server's name, bound into every proof.
    pub server: String,
    /// Digest of the public graph.
    #[serde(with = "hex_digest")]
    pub graph: Digest,
    /// The commitment scheme, [`SCHEME`].
    pub scheme: String,
    /// Root of the weight commitment.
    #[serde(with = "hex_digest")]
    pub weights: Digest,
    /// What the model takes.
    pub input: InputCard,
    /// Digest of the public text that says how a sample becomes the input, where that takes more than the input's scale. Whoever
    /// encodes samples holds the text against it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_hex_digest")]
    pub reading: Option<Digest>,
    /// The accuracy claimed, 0 to 1; what canaries are held against.
    pub accuracy: Option<f64>,
}

/// The input of a model: shape, scale and range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputCard {
    /// Shape of one sample.
    pub shape: Vec<usize>,
    /// A real x is sent as round(x·2^exponent).
    pub exponent: i8,
    /// Least integer taken.
    pub low: i32,
    /// Greatest integer taken.
    pub high: i32,
}

impl Card {
    /// The card of a graph under a commitment.
    pub fn new(server: &str, graph: &Graph, weights: Digest, accuracy: Option<f64>) -> Self {
        let input = graph.input();
        Self {
            server: server.into(),
            graph: graph.digest(),
            scheme: SCHEME.into(),
            weights,
            input: InputCard {
                shape: input.shape.clone(),
                exponent: input.exponent,
                low: input.range.low,
                high: input.range.high,
            },
            reading: None,
            accuracy,
        }
    }

    /// The card of a model whose samples are prepared as a text with this digest says.
    #[must_use]
    pub fn with_reading(self, reading: Option<Digest>) -> Self {
        Self { reading, ..self }
    }

    /// Holds a graph, as a server sends it, against the card.
    pub fn check(&self, graph: &Graph) -> Result<(), Rejection> {
        let reject = |fault| Err(Rejection::new(Place::Card, fault));
        if self.scheme != SCHEME {
            let text = format!("the card uses `{}` and this version reads `{SCHEME}`", self.scheme);
            return reject(Fault::Card(text));
        }
        if self.server.len() > limits::MAX_SERVER_NAME {
            return reject(Fault::Card("the server's name is too long".into()));
        }
        if self.accuracy.is_some_and(|a| !(0.0..=1.0).contains(&a)) {
            return reject(Fault::Card("the claimed accuracy is not between 0 and 1".into()));
        }
        if *self != Self::new(&self.server, graph, self.weights, self.accuracy).with_reading(self.reading) {
            return reject(Fault::Graph);
        }
        Ok(())
    }
}

/// An optional digest as [`hex_digest`] writes it.
mod optional_hex_digest {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Digest, hex_digest};

    #[derive(Deserialize)]
    struct Hex(#[serde(with = "hex_digest")] Digest);

    pub(super) fn serialize<S: Serializer>(
        digest: &Option<Digest>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match digest {
            Some(digest) => hex_digest::serialize(digest, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Digest>, D::Error> {
        Ok(Option::<Hex>::deserialize(deserializer)?.map(|Hex(digest)| digest))
    }
}

/// Digests as lower-case hexadecimal.
pub mod hex_digest {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes 64 hexadecimal digits.
    pub fn serialize<S: Serializer>(digest: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(digest))
    }

    /// Reads 64 hexadecimal digits.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut digest = [0; 32];
        hex::decode_to_slice(&text, &mut digest)
            .map_err(|e| D::Error::custom(format!("`{text}` is no 32-byte digest in hexadecimal: {e}")))?;
        Ok(digest)
    }
}
