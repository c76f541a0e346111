//! What each check of an opening is there for: a cheat who passes all the others.

use std::borrow::Cow;
use std::cell::OnceCell;

use ark_ff::{AdditiveGroup, FftField, Field};
use serin_circuits::poly::eq_index;
use serin_verifier::commit::Form;
use serin_verifier::rejection::Place;
use serin_verifier::sumcheck::Rounds;

use super::*;

/// Up to where a cheat keeps to the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Says another row whole.
    Row,
    /// Says another value, of the row he commits.
    Value,
    /// Commits another row, which has the value he says.
    Commitment,
    /// Once γ is drawn, sums over another row, which fits the merged claim.
    Rounds,
    /// Opens the columns of that row too.
    Columns,
}

/// Says that the row's first entry is one more than it is.
struct Cheat<'a> {
    honest: &'a Commitment,
    turn: Turn,
}

impl Opener for Cheat<'_> {
    fn row(&self, weights: &[Ext]) -> Vec<Ext> {
        let mut row = self.honest.row(weights);
        row[0] += Ext::ONE;
        row
    }

    fn columns(&self, positions: &[usize]) -> Vec<Fp> {
        self.honest.columns(positions)
    }

    fn siblings(&self, positions: &[usize]) -> Vec<Digest> {
        self.honest.siblings(positions)
    }

    fn commit_row(&self, mut row: Vec<Ext>, shape: Shape) -> Box<dyn RowOpener> {
        if self.turn != Turn::Commitment {
            row[0] -= Ext::ONE;
        }
        let committed = CommittedRow::new(row.clone(), shape);
        Box::new(CheatRow { row, shape, committed, turned: OnceCell::new(), turn: self.turn })
    }
}

struct CheatRow {
    row: Vec<Ext>,
    shape: Shape,
    committed: CommittedRow,
    turned: OnceCell<CommittedRow>,
    turn: Turn,
}

impl CheatRow {
    fn after(&self, turn: &[Turn]) -> &CommittedRow {
        self.turned.get().filter(|_| turn.contains(&self.turn)).unwrap_or(&self.committed)
    }
}

impl Opener for CheatRow {
    fn row(&self, weights: &[Ext]) -> Vec<Ext> {
        self.after(&[Turn::Rounds, Turn::Columns]).row(weights)
    }

    fn columns(&self, positions: &[usize]) -> Vec<Fp> {
        self.after(&[Turn::Columns]).columns(positions)
    }

    fn siblings(&self, positions: &[usize]) -> Vec<Digest> {
        self.after(&[Turn::Columns]).siblings(positions)
    }

    fn commit_row(&self, row: Vec<Ext>, shape: Shape) -> Box<dyn RowOpener> {
        self.committed.commit_row(row, shape)
    }
}

impl RowOpener for CheatRow {
    fn root(&self) -> Digest {
        self.committed.root()
    }

    /// The value said is off by eq(z, 0), the merged claim by γ^|J| times that; the first entry of a row that makes up for it
    /// is off by so much over E(0).
    fn rounds(&self, form: &Form<'_>) -> Box<dyn Rounds + '_> {
        let off = *form.powers.last().unwrap() * eq_index(form.point, 0);
        let first = form.at(&vec![Ext::ZERO; form.point.len()]);
        let turned = || {
            let mut row = self.row.clone();
            row[0] += off * first.inverse().unwrap();
            CommittedRow::new(row, self.shape)
        };
        self.turned.get_or_init(turned);
        self.after(&[Turn::Rounds, Turn::Columns]).rounds(form)
    }
}

/// A checker with one check left out.
struct Weakened<S> {
    inner: S,
    skipped: &'static str,
}

fn name(fault: &Fault) -> &'static str {
    match fault {
        Fault::Column { .. } => "column",
        Fault::Row => "row",
        Fault::RowColumn { .. } => "row column",
        Fault::RowPath => "row path",
        _ => "other",
    }
}

impl<S: Script> Script for Weakened<S> {
    fn message(
        &mut self,
        label: &'static str,
        len: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<Cow<'_, [u8]>, Rejection> {
        self.inner.message(label, len, write)
    }

    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        self.inner.absorb(label, bytes);
    }

    fn squeeze(&mut self, label: &'static str, out: &mut [u8]) {
        self.inner.squeeze(label, out);
    }

    fn enter(&mut self, place: Place) {
        self.inner.enter(place);
    }

    fn reject(&self, fault: impl Into<Fault>) -> Rejection {
        self.inner.reject(fault)
    }

    fn check_only<T>(&mut self, make: impl FnOnce() -> T) -> Option<T> {
        self.inner.check_only(make)
    }

    fn insist(&mut self, fault: Fault, holds: impl FnOnce() -> bool) -> Result<(), Rejection> {
        if name(&fault) == self.skipped { Ok(()) } else { self.inner.insist(fault, holds) }
    }
}

#[test]
fn cheat_at_each_turn_caught_by_one_check_and_believed_without_it() {
    let [flat, recursive] = [flat(5, Code::WEIGHTS), recursive(5)];
    let turns = [
        (Turn::Row, &flat, "column"),
        (Turn::Value, &recursive, "row"),
        (Turn::Commitment, &recursive, "row"),
        (Turn::Rounds, &recursive, "row column"),
        (Turn::Columns, &recursive, "row path"),
    ];
    for (turn, honest, check) in turns {
        let (shape, root) = (honest.shape(), honest.root());
        let proof = proved(merlin(4), shape, root, &Cheat { honest, turn });
        let fault = checked(merlin(4), shape, root, &proof).unwrap_err().fault;
        assert_eq!(name(&fault), check, "{turn:?}");
        let inner = Checking::new(merlin(4), "", &proof).unwrap();
        let mut script = Weakened { inner, skipped: check };
        let z = point(&mut script, shape);
        let believed = open(&mut script, shape, root, &z, None).unwrap().unwrap();
        script.inner.finish().unwrap();
        assert_eq!(believed - truth(merlin(4), honest), eq_index(&z[shape.row_bits()..], 0), "{turn:?}");
    }
}

/// Merlin, but one draw is known beforehand.
struct Known {
    merlin: MerlinCoins,
    label: &'static str,
    drawn: fn(&mut [u8]),
}

impl Coins for Known {
    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        self.merlin.absorb(label, bytes);
    }

    fn squeeze(&mut self, label: &'static str, out: &mut [u8]) {
        self.merlin.squeeze(label, out);
        if label == self.label {
            (self.drawn)(out);
        }
    }
}

/// A false opening is believed by a checker who draws what was known, and rejected by merlin.
fn assert_believed_only_when_known(
    honest: &Commitment,
    cheat: &dyn Opener,
    label: &'static str,
    drawn: fn(&mut [u8]),
) {
    let (shape, root) = (honest.shape(), honest.root());
    let known = || Known { merlin: merlin(6), label, drawn };
    let proof = proved(known(), shape, root, cheat);
    let (believed, _) = checked(known(), shape, root, &proof).unwrap();
    assert_ne!(believed, truth(known(), honest));
    let proof = proved(merlin(6), shape, root, cheat);
    assert_eq!(checked(merlin(6), shape, root, &proof).unwrap_err().fault, Fault::Row);
}

#[test]
fn wrong_value_believed_under_a_known_gamma_rejected_under_merlin() {
    let honest = recursive(8);
    // Merged by zero, only the claim on the first column is left.
    assert_believed_only_when_known(&honest, &Cheat { honest: &honest, turn: Turn::Value }, "row", |out| {
        out.fill(0)
    });
}

/// Commits a row that differs from the true one by a polynomial that vanishes where columns are said to be drawn.
struct Vanishing<'a>(&'a Commitment);

impl Opener for Vanishing<'_> {
    fn row(&self, weights: &[Ext]) -> Vec<Ext> {
        let mut row = self.0.row(weights);
        let shape = self.0.shape();
        let root = Fp::get_root_of_unity(shape.codeword() as u64).unwrap();
        let mut vanishing = vec![Fp::ONE];
        for at in 0..shape.code().queries() as u64 {
            let x = root.pow([at]);
            let shifted = [&[Fp::ZERO], &vanishing[..]].concat();
            vanishing.push(Fp::ZERO);
            vanishing.iter_mut().zip(shifted).for_each(|(v, above)| *v = above - x * *v);
        }
        row.iter_mut().zip(vanishing).for_each(|(entry, v)| *entry += lift(v));
        row
    }

    fn columns(&self, positions: &[usize]) -> Vec<Fp> {
        self.0.columns(positions)
    }

    fn siblings(&self, positions: &[usize]) -> Vec<Digest> {
        self.0.siblings(positions)
    }

    fn commit_row(&self, row: Vec<Ext>, shape: Shape) -> Box<dyn RowOpener> {
        self.0.commit_row(row, shape)
    }
}

#[test]
fn wrong_row_believed_under_known_positions_rejected_under_merlin() {
    let honest = recursive(9);
    let first = |out: &mut [u8]| {
        out.as_chunks_mut::<4>().0.iter_mut().zip(0u32..).for_each(|(to, at)| *to = at.to_le_bytes());
    };
    assert_believed_only_when_known(&honest, &Vanishing(&honest), "columns", first);
}
