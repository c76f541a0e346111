//! The rows of the manifest: for every message of a proof, in either mode, what must come of each mutation.

use serin_circuits::codec::DecodeError;
use serin_verifier::rejection::Fault;

/// Where a rejection must stand, seen from the message that was changed.
#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    /// The message's own place.
    Here,
    /// Some node.
    Node,
    /// The first linear node: the first check after the first coin.
    First,
    Statement,
    Proof,
    Lookups,
    /// The last linear node: the first that a backward walk meets.
    Last,
    Columns,
    ColumnsOpening,
    Claims,
    Opening,
}

/// What it must have found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Header,
    Truncated,
    Value,
    Leftover,
    Answer,
    Output,
    Product,
    Lookup,
    Fractions,
    Columns,
    Weights,
    Path,
    Column,
    RowPath,
    Other,
}

pub(super) fn kind(fault: &Fault) -> Kind {
    match fault {
        Fault::Malformed(DecodeError::Header { .. }) => Kind::Header,
        Fault::Malformed(DecodeError::Truncated { .. }) => Kind::Truncated,
        Fault::Malformed(DecodeError::Value { .. }) => Kind::Value,
        Fault::Malformed(DecodeError::Leftover { .. }) => Kind::Leftover,
        Fault::Answer(_) => Kind::Answer,
        Fault::Output { .. } => Kind::Output,
        Fault::Product => Kind::Product,
        Fault::Lookup => Kind::Lookup,
        Fault::Fractions => Kind::Fractions,
        Fault::Columns => Kind::Columns,
        Fault::Weights => Kind::Weights,
        Fault::Path => Kind::Path,
        Fault::Column { .. } => Kind::Column,
        Fault::RowPath => Kind::RowPath,
        _ => Kind::Other,
    }
}

/// One of the rejections a mutation may raise; where there are several, the coins or the values decide which.
pub(super) type Expected = &'static [(At, Kind)];

/// One kind of message, and what must come of each mutation.
pub(super) struct Row {
    /// `"proof"`, `"look-ups"`, `"node"`, `"columns"`, `"claims"`, or for either commitment `"opening"`.
    pub(super) place: &'static str,
    pub(super) label: &'static str,
    /// Bytes of one of its words; 0 where the node's range says.
    pub(super) word: usize,
    /// A bit flipped in, or one added to, its first, middle or last word; the first and last word exchanged.
    pub(super) altered: Expected,
    /// A word of ones, which lies beyond every field's modulus and every node's range.
    pub(super) beyond: Expected,
    /// All from here on missing.
    pub(super) cut: Expected,
    /// A word of zeros put before it.
    pub(super) inserted: Expected,
}

/// After a wrong message before the column draw, either other columns are drawn, or (in a short code) the same all.
const SPOILED_OPENING: Expected =
    &[(At::Here, Kind::Path), (At::Here, Kind::Column), (At::Here, Kind::Truncated)];
/// As above; and where the matrix has but one row, the opening does not depend on the point, and only its value is wrong.
const SPOILED_POINT: Expected = &[
    (At::Opening, Kind::Path),
    (At::Opening, Kind::Column),
    (At::Opening, Kind::Truncated),
    (At::Claims, Kind::Weights),
];
/// The same of the columns' commitment.
const SPOILED_COLUMNS_POINT: Expected = &[
    (At::ColumnsOpening, Kind::Path),
    (At::ColumnsOpening, Kind::Column),
    (At::ColumnsOpening, Kind::Truncated),
    (At::Columns, Kind::Columns),
];
/// Other coins than the prover's, before the first look-up.
const SPOILED_COINS: Expected = &[(At::Lookups, Kind::Fractions), (At::Last, Kind::Product)];
/// Where nothing is committed, zeros open it, and all behind it stands a word too late.
const DISPLACED: Expected = &[
    (At::Here, Kind::Path),
    (At::Here, Kind::Column),
    (At::Here, Kind::Truncated),
    (At::Opening, Kind::Path),
    (At::Opening, Kind::Column),
];
/// After a wrong message before a committed row's own draw.
const SPOILED_ROW: Expected = &[(At::Here, Kind::RowPath), (At::Here, Kind::Truncated)];
const TRUNCATED: Expected = &[(At::Here, Kind::Truncated)];

pub(super) const MANIFEST: [Row; 23] = [
    Row {
        place: "proof",
        label: "header",
        word: 1,
        altered: &[(At::Proof, Kind::Header)],
        beyond: &[(At::Proof, Kind::Header)],
        cut: &[(At::Proof, Kind::Header)],
        inserted: &[(At::Proof, Kind::Header)],
    },
    Row {
        place: "node",
        label: "accumulators",
        word: 0,
        altered: &[(At::Statement, Kind::Output), (At::First, Kind::Product)],
        beyond: &[(At::Here, Kind::Answer)],
        cut: TRUNCATED,
        inserted: &[(At::Node, Kind::Answer), (At::Statement, Kind::Output), (At::First, Kind::Product)],
    },
    Row {
        place: "node",
        label: "bias",
        word: 16,
        altered: &[(At::Here, Kind::Product)],
        beyond: &[(At::Here, Kind::Value)],
        cut: TRUNCATED,
        inserted: &[(At::Here, Kind::Product)],
    },
    Row {
        place: "node",
        label: "round",
        word: 16,
        altered: &[(At::Here, Kind::Product)],
        beyond: &[(At::Here, Kind::Value)],
        cut: TRUNCATED,
        inserted: &[(At::Here, Kind::Product)],
    },
    Row {
        place: "node",
        label: "weight",
        word: 16,
        altered: &[(At::Here, Kind::Product)],
        beyond: &[(At::Here, Kind::Value)],
        cut: TRUNCATED,
        inserted: &[(At::Here, Kind::Product)],
    },
    Row {
        place: "claims",
        label: "round",
        word: 16,
        altered: SPOILED_POINT,
        beyond: &[(At::Here, Kind::Value)],
        cut: TRUNCATED,
        inserted: SPOILED_POINT,
    },
    Row {
        place: "opening",
        label: "row",
        word: 16,
        altered: SPOILED_OPENING,
        beyond: &[(At::Here, Kind::Value)],
        cut: TRUNCATED,
        inserted: DISPLACED,
    },
    Row {
        place: "opening",
        label: "columns",
        word: 8,
        altered: &[(At::Here, Kind::Path)],
        beyond: &[(At::Here, Kind::Value)],
        cut: TRUNCATED,
        inserted: DISPLACED,
    },
    Row {
        place: "opening",
        label: "path",
        word: 32,
        altered: &[(At::Here, Kind::Path)],
        beyond: &[(At::Here, Kind::Path)],
        cut: TRUNCATED,
        inserted: DISPLACED,
    },
    Row {
        place: "opening",
        label: "value",
        word: 16,
        altered: SPOILED_OPENING,
        beyond: &[(At::Here, Kind::Value)],
        cut: TRUNCATED,
        inserted: SPOILED_OPENING,
    },
    Row {
        place: "opening",
        label: "row root",
        word: 32,
        altered: SPOILED_OPENING,
        beyond: SPOILED_OPENING,
        cut: TRUNCATED,
        inserted: SPOILED_OPENING,
    },
    Row {
        place: "opening",
        label: "round",
        word: 16,
        altered: SPOILED_ROW,
        beyond: &[(At::Here, Kind::Value)],
        cut: TRUNCATED,
        inserted: SPOILED_ROW,
    },
    Row {
        place: "opening",
        label: "row of row",
        word: 16,
        altered: SPOILED_ROW,
        beyond: &[(At::Here, Kind::Value)],
        cut: TRUNCATED,
        inserted: SPOILED_ROW,
    },
    Row {
        place: "opening",
        label: "columns of row",
        word: 8,
        altered: &[(At::Here, Kind::RowPath)],
        beyond: &[(At::Here, Kind::Value)],
        cut: TRUNCATED,
        inserted: &[(At::Here, Kind::RowPath)],
    },
    Row {
        place: "opening",
        label: "path of row",
        word: 32,
        altered: &[(At::Here, Kind::RowPath)],
        beyond: &[(At::Here, Kind::RowPath)],
        cut: TRUNCATED,
        inserted: &[(At::Here, Kind::RowPath)],
    },
    Row {
        place: "look-ups",
        label: "columns",
        word: 32,
        altered: SPOILED_COINS,
        beyond: SPOILED_COINS,
        cut: TRUNCATED,
        inserted: &[(At::Here, Kind::Lookup)],
    },
    Row {
        place: "look-ups",
        label: "fraction root",
        word: 16,
        altered: &[(At::Here, Kind::Lookup), (At::Here, Kind::Fractions)],
        beyond: &[(At::Here, Kind::Value)],
        cut: TRUNCATED,
        inserted: &[(At::Here, Kind::Lookup)],
    },
    Row {
        place: "look-ups",
        label: "fraction round",
        word: 16,
        altered: &[(At::Here, Kind::Fractions)],
        beyond: &[(At::Here, Kind::Value)],
        cut: TRUNCATED,
        inserted: &[(At::Here, Kind::Fractions)],
    },
    Row {
        place: "look-ups",
        label: "fraction ends",
        word: 16,
        altered: &[(At::Here, Kind::Fractions)],
        beyond: &[(At::Here, Kind::Value)],
        cut: TRUNCATED,
        inserted: &[(At::Here, Kind::Fractions)],
    },
    Row {
        place: "node",
        label: "sum",
        word: 16,
        altered: &[(At::Here, Kind::Product)],
        beyond: &[(At::Here, Kind::Value)],
        cut: TRUNCATED,
        inserted: &[(At::Here, Kind::Product)],
    },
    Row {
        place: "node",
        label: "accumulator",
        word: 16,
        altered: &[(At::Here, Kind::Product)],
        beyond: &[(At::Here, Kind::Value)],
        cut: TRUNCATED,
        inserted: &[(At::Here, Kind::Product)],
    },
    Row {
        place: "node",
        label: "input",
        word: 16,
        altered: &[(At::Here, Kind::Product)],
        beyond: &[(At::Here, Kind::Value)],
        cut: TRUNCATED,
        inserted: &[(At::Here, Kind::Product)],
    },
    Row {
        place: "columns",
        label: "round",
        word: 16,
        altered: SPOILED_COLUMNS_POINT,
        beyond: &[(At::Here, Kind::Value)],
        cut: TRUNCATED,
        inserted: SPOILED_COLUMNS_POINT,
    },
];
