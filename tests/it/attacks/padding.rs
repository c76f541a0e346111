//! Multiplicities, and what stands on padding: three questions make a batch of four samples, and no table fills its last entry.

use serin_circuits::field::{Fp, from_i64, lift};
use serin_circuits::relation::table::Table;
use serin_verifier::lookup::plan::Placed;
use serin_verifier::rejection::{Fault, Place, Rejection};
use serin_verifier::script::MerlinCoins;
use serin_verifier::verify::verify;

use super::checks::believed;
use super::known::one_more;
use super::scene::{Scene, not_in_its_table};
use super::witness::{Explicit, Made, signed};
use crate::world::Net;

fn activations() -> Rejection {
    Rejection::new(Place::Columns, Fault::Columns)
}

/// The verdict on a witness, and on the same proof without one check.
fn verdicts(scene: &Scene, mut witness: Explicit<'_>, skipped: &'static str) -> [Result<(), Rejection>; 2] {
    let outputs = witness.outputs();
    let statement = scene.statement(&outputs);
    let proof = witness.prove(MerlinCoins::new(), &statement);
    let verdict = verify(&statement, &proof).map(drop);
    [verdict, believed(skipped, &statement, Some(&scene.plan), &proof)]
}

/// The cell of a table's row, padded ones included.
fn cell(scene: &Scene, placed: &Placed, row: usize) -> usize {
    (placed.column << scene.plan.batch_bits()) + row
}

fn clamp_table(scene: &Scene) -> Placed {
    *scene.plan.tables.iter().find(|placed| matches!(placed.table, Table::Clamp { .. })).unwrap()
}

#[test]
fn multiplicity_that_counts_nothing_caught_by_the_root() {
    let scene = Scene::mlp();
    let placed = clamp_table(&scene);
    let mut witness = scene.witness(&scene.plan, &mut |_, _| ());
    witness.columns[cell(&scene, &placed, 3)] += from_i64(1);
    assert_eq!(verdicts(&scene, witness, "lookup"), [Err(not_in_its_table()), Ok(())]);
}

#[test]
fn value_beside_its_row_not_vouched_for_by_any_multiplicity() {
    let scene = Scene::mlp();
    let (placed, width) = (clamp_table(&scene), 1 << scene.plan.batch_bits());
    let rows = [0, placed.table.len() - 1, placed.table.len(), placed.entries * width - 1];
    assert!(rows[2] <= rows[3], "the table's last entry has rows that are padding");
    for row in rows {
        let mut witness = one_more(&scene);
        witness.columns[cell(&scene, &placed, row)] += from_i64(1);
        assert_eq!(verdicts(&scene, witness, "lookup"), [Err(not_in_its_table()), Ok(())], "row {row}");
    }
}

/// A padding row repeats the last: what is counted there is counted for that row, and proves nothing else.
#[test]
fn multiplicity_on_a_padding_row_counts_for_the_last_row_alone() {
    let scene = Scene::mlp();
    let placed = clamp_table(&scene);
    let last = placed.table.len() - 1;
    assert_eq!(placed.row(last), placed.row(last + 1));
    let mut witness = scene.witness(&scene.plan, &mut |_, _| ());
    witness.columns[cell(&scene, &placed, last)] -= from_i64(1);
    witness.columns[cell(&scene, &placed, last + 1)] += from_i64(1);
    assert_eq!(verdicts(&scene, witness, ""), [Ok(()), Ok(())]);
    let mut witness = scene.witness(&scene.plan, &mut |_, _| ());
    witness.columns[cell(&scene, &placed, last - 1)] -= from_i64(1);
    witness.columns[cell(&scene, &placed, last + 1)] += from_i64(1);
    assert_eq!(verdicts(&scene, witness, "lookup"), [Err(not_in_its_table()), Ok(())]);
}

/// On a padding sample a hidden activation may be anything: the statement says nothing of it, and no look-up there counts. Where it
/// reaches an answer, the answers' padding, which is zero, does not agree.
#[test]
fn column_on_a_padding_sample_moves_no_answer() {
    let hidden = |made: Made, cells: &mut [Fp], step: usize, scene: &Scene| {
        if made.value == scene.plan.steps[step].value && made.sample == 3 {
            cells[0] = from_i64(77);
        }
    };
    let scene = Scene::pool();
    let witness = scene.witness(&scene.plan, &mut |made, cells| hidden(made, cells, 0, &scene));
    assert!(witness.columns.iter().filter(|v| **v == from_i64(77)).count() >= 8);
    assert_eq!(witness.outputs(), *scene.trace.output());
    assert_eq!(verdicts(&scene, witness, ""), [Ok(()), Ok(())]);

    let witness = scene.witness(&scene.plan, &mut |made, cells| hidden(made, cells, 1, &scene));
    assert_eq!(witness.outputs(), *scene.trace.output());
    assert_eq!(verdicts(&scene, witness, "columns"), [Err(activations()), Ok(())]);
}

/// A false tuple on a real sample, the same on a padding sample with the numerator −1: the sum is zero, but padding's numerators are
/// public.
#[test]
fn padding_sample_taken_as_a_witness_caught_by_its_numerator() {
    let scene = Scene::new(Net::new(54, &[8]).dense(16).rescale(0).dense(9).rescale(0).dense(3).finish());
    let step = &scene.plan.steps[0];
    let Table::Range { bits } = step.lookups[1].1.table else { panic!("one remainder") };
    // The lie, and with it the place of the padding sample of its entry, which is made next.
    let (mut lied, mut at) = (None, 0);
    let mut leaf = None;
    let mut witness = scene.witness(&scene.plan, &mut |made, cells| {
        if made.value != step.value {
            return;
        }
        match lied {
            None if made.sample < 3 && (2..100).contains(&signed(cells[0])) => {
                cells[0] += from_i64(1);
                lied = Some((cells[0], (made.z + (1 << (bits - 1))) >> bits));
            }
            Some((result, quotient)) if made.sample == 3 && leaf.is_none() => {
                // The accumulator is zero there, and constants do not count: result and remainder make the tuple.
                cells.copy_from_slice(&[result, from_i64(-(quotient << bits))]);
                leaf = Some((step.leaf << scene.plan.batch_bits()) + at);
            }
            _ => {}
        }
        at += 1;
    });
    let outputs = witness.outputs();
    assert_ne!(outputs, *scene.trace.output());
    let statement = scene.statement(&outputs);
    let proof = witness.prove(MerlinCoins::new(), &statement);
    assert_eq!(verify(&statement, &proof).unwrap_err(), not_in_its_table(), "nobody vouches");
    witness.vouched = Some((leaf.unwrap(), -lift(from_i64(1))));
    assert_eq!(verdicts(&scene, witness, "columns"), [Err(activations()), Ok(())]);
}
