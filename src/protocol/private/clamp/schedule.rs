//! Who says what when: messages alternate, and each holds all that its sender can say by then.
//!
//! ```text
//! client ─► flips of the digits
//!        ◄─ digits, openings of level 1
//!        ─► openings of levels 1, 2
//!        ◄─ openings of levels 2, 3 …
//!        ─► the choice of inside
//!        ◄─ its answer, the server's choices
//!        ─► their answers
//! ```
//! Taking turns costs no more messages in a row than speaking at once, as whoever speaks second is a level ahead; and two blocked
//! writers cannot face each other.

use super::plan::Party;

/// A part of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Where the client's digits differ from its random choices.
    Flips,
    /// The digits' tables, masked.
    Digits,
    /// The factors of a level's ANDs, masked.
    Open(usize),
    /// Where the bits that choose products differ from random choices.
    Choose,
    /// The peer's products, masked.
    Answer,
}

/// What the schedule depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Needs {
    /// Levels, the zeroth included.
    pub(super) levels: usize,
    /// The level of all bits the client chooses by.
    pub(super) client: usize,
    /// The level of all bits the server chooses by.
    pub(super) server: usize,
}

/// The messages, the client's first.
pub(super) fn schedule(needs: Needs) -> Vec<Vec<Piece>> {
    let mut turns = Vec::new();
    // Per party: the next level to open, whether its choices are out, whether it answered.
    let (mut next, mut chose, mut answered) = ([1; 2], [false; 2], [false; 2]);
    let mut digits = false;
    while answered != [true; 2] || next != [needs.levels.max(1); 2] {
        let me = turns.len() % 2;
        let mut pieces = Vec::new();
        if turns.is_empty() {
            pieces.push(Piece::Flips);
        } else if !digits {
            pieces.push(Piece::Digits);
            digits = true;
        }
        while digits && next[me] < needs.levels && next[1 - me] >= next[me] {
            pieces.push(Piece::Open(next[me]));
            next[me] += 1;
        }
        let known = if digits { next[0].min(next[1]) } else { 0 };
        if chose[1 - me] && !answered[me] && [needs.server, needs.client][me] < known {
            pieces.push(Piece::Answer);
            answered[me] = true;
        }
        if !chose[me] && [needs.client, needs.server][me] < known {
            pieces.push(Piece::Choose);
            chose[me] = true;
        }
        turns.push(pieces);
    }
    turns
}

/// Who sends message `turn`.
pub(super) fn speaker(turn: usize) -> Party {
    if turn.is_multiple_of(2) { Party::Client } else { Party::Server }
}
