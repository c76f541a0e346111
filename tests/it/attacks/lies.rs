//! Every way in which a witness can be false: caught by one check, and believed where that check is absent.
//!
//! A lie changes one cell ([`Explicit`]); all that follows is computed from it, and all of the proof from that. What is absent is a check
//! of the verifier's text, or one look-up of the plan, left out on both sides.

use serin::prover::Model;
use serin_circuits::field::{Fp, MODULUS, from_i64};
use serin_circuits::gates::Gate;
use serin_circuits::relation::clamp::Lookup;
use serin_circuits::relation::table::Table;
use serin_circuits::tensor::Tensor;
use serin_circuits::weights::Weights;
use serin_verifier::lookup::plan::{Plan, Step};
use serin_verifier::proof::Mode;
use serin_verifier::rejection::{Fault, Place, Rejection};
use serin_verifier::script::MerlinCoins;
use serin_verifier::statement::Statement;
use serin_verifier::verify::verify;

use super::checks::believed;
use super::linear_place;
use super::scene::{Absent, Scene, not_in_its_table};
use super::witness::{Explicit, Made, signed};
use crate::world::{Net, SESSION};

fn is_clamp(lookup: &Lookup) -> bool {
    matches!(lookup.table, Table::Clamp { .. })
}

fn is_range(lookup: &Lookup) -> bool {
    matches!(lookup.table, Table::Range { .. })
}

fn is_high(lookup: &Lookup) -> bool {
    matches!(lookup.table, Table::High { .. })
}

fn is_low(lookup: &Lookup) -> bool {
    matches!(lookup.table, Table::Low { .. })
}

/// s of a step with one remainder limb.
fn shift(step: &Step) -> u8 {
    let bits = step.lookups.iter().find_map(|(_, lookup)| match lookup.table {
        Table::Range { bits } => Some(bits),
        _ => None,
    });
    bits.unwrap()
}

fn add(cell: &mut Fp, v: i64) {
    *cell += from_i64(v);
}

#[test]
fn remainder_or_clamp_that_is_not_so_caught_by_its_table() {
    let scene = Scene::mlp();
    let (value, s) = (scene.plan.steps[0].value, shift(&scene.plan.steps[0]));
    let unit = 1i64 << s;
    let quotient = move |z: i64| (z + unit / 2) >> s;
    let caught = |name: &str, lie: &dyn Fn(i64, &mut [Fp]) -> bool, absent: Absent| {
        let lie = |made: Made, cells: &mut [Fp]| made.value == value && lie(made.z, cells);
        scene.assert_caught(name, &lie, not_in_its_table(), absent);
    };
    let inside = |z: i64| (2..120).contains(&quotient(z));
    let lower = |z: i64, cells: &mut [Fp]| {
        add(&mut cells[0], -1);
        add(&mut cells[1], unit);
        inside(z)
    };
    caught("remainder of the next lower quotient", &lower, Absent::LookUps(is_range));
    let negative = |z: i64, cells: &mut [Fp]| {
        add(&mut cells[0], 1);
        add(&mut cells[1], -unit);
        inside(z)
    };
    caught("negative remainder", &negative, Absent::LookUps(is_range));
    let third = |z: i64, cells: &mut [Fp]| {
        add(&mut cells[0], 1);
        cells[1] -= from_i64(unit) / from_i64(3);
        inside(z)
    };
    caught("remainder that is no integer", &third, Absent::Check("lookup"));
    let low = |z: i64, cells: &mut [Fp]| {
        add(&mut cells[0], 1);
        quotient(z) < 0
    };
    caught("negative number kept as one", &low, Absent::LookUps(is_clamp));
    let high = |z: i64, cells: &mut [Fp]| {
        add(&mut cells[0], -1);
        quotient(z) > 127
    };
    caught("great number cut off too low", &high, Absent::LookUps(is_clamp));
    let beyond = |z: i64, cells: &mut [Fp]| {
        cells[0] = from_i64(quotient(z));
        quotient(z) > 127
    };
    caught("great number not cut off", &beyond, Absent::LookUps(is_clamp));
    let more = |z: i64, cells: &mut [Fp]| {
        add(&mut cells[0], 1);
        inside(z)
    };
    caught("result altered, and all that follows", &more, Absent::LookUps(is_clamp));
    let beyond_p = |z: i64, cells: &mut [Fp]| {
        let shifted = i128::from(z + unit / 2) + i128::from(MODULUS);
        cells[0] = from_i64(127);
        cells[1] = from_i64((shifted & i128::from(unit - 1)) as i64);
        inside(z)
    };
    caught("accumulator read as itself plus p", &beyond_p, Absent::LookUps(is_clamp));
}

#[test]
fn accumulator_off_by_one_unit_of_the_result_caught_by_its_node() {
    let scene = Scene::mlp();
    let unit = 1i64 << shift(&scene.plan.steps[0]);
    let lie = |made: Made, cells: &mut [Fp]| {
        add(&mut cells[0], unit);
        made.value == 1 && (2 * unit..100 * unit).contains(&signed(cells[0]))
    };
    let expected = Rejection::new(linear_place(scene.model.graph(), 0), Fault::Product);
    scene.assert_caught("2^s too much", &lie, expected, Absent::Check("product"));
}

#[test]
fn max_pool_that_is_not_the_greatest_of_its_window_caught_by_its_table() {
    let scene = Scene::pool();
    let value = scene.plan.steps.last().unwrap().value;
    let caught = |name: &str, lie: &dyn Fn(Made, &mut [Fp]) -> bool| {
        let lie = |made: Made, cells: &mut [Fp]| made.value == value && lie(made, cells);
        scene.assert_caught(name, &lie, not_in_its_table(), Absent::LookUps(is_clamp));
    };
    caught("a member, not the greatest: the first", &|made, cells| {
        cells[0] = from_i64(made.base);
        made.z > 0
    });
    caught("a member, not the greatest: the second", &|made, cells| {
        cells[0] = from_i64(made.base + made.z);
        made.z < 0
    });
    caught("greater than every member", &|_, cells| {
        add(&mut cells[0], 1);
        signed(cells[0]) < 128
    });
    caught("between two members", &|made, cells| {
        add(&mut cells[0], -1);
        made.z > 1
    });
}

/// Columns: result, h, class, l′. With t = 10 or so, low = −2000 and high = 2500, H has the upper limb 4500 >> t.
#[test]
fn split_limbs_that_are_not_so_caught_by_their_tables() {
    let scene = Scene::split();
    let [
        (_, Lookup { table: Table::High { top, .. }, .. }),
        (_, Lookup { table: Table::Low { bits, .. }, .. }),
    ] = scene.plan.steps[0].lookups[..]
    else {
        panic!("one split step without a remainder");
    };
    assert!(top > 0, "every class occurs");
    let caught = |name: &str, lie: &dyn Fn(i64, &mut [Fp]) -> bool, absent| {
        let lie = |made: Made, cells: &mut [Fp]| {
            let h = (made.z + 2000) >> bits;
            made.value == 1 && lie(h, cells)
        };
        scene.assert_caught(name, &lie, not_in_its_table(), Absent::LookUps(absent));
    };
    // h one less makes l 2^t more: the result is of the lower row, as if q were.
    caught(
        "limbs that carry",
        &|h, cells| {
            add(&mut cells[0], -(1 << bits));
            add(&mut cells[1], -1);
            (1..top).contains(&h)
        },
        is_low,
    );
    caught(
        "a quotient above the clamp classed below it",
        &|h, cells| {
            cells.copy_from_slice(&[-2000, h, 0, 0].map(from_i64));
            h > top
        },
        is_high,
    );
    caught(
        "an upper limb of another row",
        &|h, cells| {
            add(&mut cells[0], 1 << bits);
            (0..top - 1).contains(&h)
        },
        is_high,
    );
    caught(
        "a lower limb of another row",
        &|h, cells| {
            add(&mut cells[0], 1);
            add(&mut cells[3], 1);
            (0..top).contains(&h)
        },
        is_low,
    );
}

#[test]
fn value_of_a_wider_table_caught_by_its_own() {
    let scene = Scene::new(Net::new(53, &[8]).dense(64).rescale(0).dense(4).rescale(-128).finish());
    let [narrow, wide] = [0, 1].map(|i| shift(&scene.plan.steps[i]));
    assert!(narrow < wide);
    let value = scene.plan.steps[0].value;
    let lie = |made: Made, cells: &mut [Fp]| {
        made.value == value && {
            let inside = (2..120).contains(&signed(cells[0]));
            add(&mut cells[0], -1);
            add(&mut cells[1], 1 << narrow);
            inside
        }
    };
    // In the other table the remainder stands: with one number for both, it is found.
    let mut mixed = scene.plan.clone();
    mixed.steps[0].lookups[1].0 = scene.plan.steps[1].lookups[1].0;
    let outcome = |prover: &Plan, verifier: &Plan| {
        let mut witness = scene.lied(prover, &lie);
        let outputs = witness.outputs();
        assert_ne!(outputs, *scene.trace.output());
        let statement = scene.statement(&outputs);
        let proof = witness.prove(MerlinCoins::new(), &statement);
        believed("", &statement, Some(verifier), &proof)
    };
    assert_eq!(outcome(&scene.plan, &scene.plan), Err(not_in_its_table()));
    let columns = Rejection::new(Place::Columns, Fault::Columns);
    assert_eq!(outcome(&mixed, &scene.plan), Err(columns));
    assert_eq!(outcome(&mixed, &mixed), Ok(()));
}

#[test]
fn altered_weight_caught_by_the_commitment_to_the_weights() {
    let scene = Scene::mlp();
    let mut tensors = scene.model.weights().tensors().to_vec();
    tensors[1].weight.iter_mut().for_each(|w| *w /= 2);
    let weights = Weights::new(scene.model.graph(), tensors).unwrap();
    let cheaper = Model::new(scene.model.graph().clone(), weights);
    let pair = (&scene.model, &scene.trace);
    let mut witness = Explicit::new(&scene.plan, &cheaper, pair, &scene.inputs, &mut |_, _| ());
    let outputs = witness.outputs();
    assert_ne!(outputs, *scene.trace.output());
    let statement = scene.statement(&outputs);
    let proof = witness.prove(MerlinCoins::new(), &statement);
    assert_eq!(verify(&statement, &proof).unwrap_err(), Rejection::new(Place::Claims, Fault::Weights));
    believed("weights", &statement, Some(&scene.plan), &proof).unwrap();
}

#[test]
fn answers_exchanged_caught_by_the_columns() {
    for scene in [Scene::mlp(), Scene::pool(), Scene::split()] {
        let outputs = scene.trace.output().select(&[1, 0, 2]).unwrap();
        assert_ne!(outputs, *scene.trace.output());
        let statement = scene.statement(&outputs);
        let proof = scene.witness(&scene.plan, &mut |_, _| ()).prove(MerlinCoins::new(), &statement);
        assert_eq!(verify(&statement, &proof).unwrap_err(), Rejection::new(Place::Columns, Fault::Columns));
        believed("columns", &statement, Some(&scene.plan), &proof).unwrap();
    }
}

/// The honest witness, shown for another question or answer.
#[test]
fn any_entry_of_question_or_answer_changed_caught_by_the_columns() {
    for scene in [Scene::mlp(), Scene::pool(), Scene::split()] {
        let mut witness = scene.witness(&scene.plan, &mut |_, _| ());
        let mut caught = |inputs: &Tensor, outputs: &Tensor| {
            let statement = Statement { inputs, ..scene.statement(outputs) };
            let proof = witness.prove(MerlinCoins::new(), &statement);
            let expected = Rejection::new(Place::Columns, Fault::Columns);
            assert_eq!(verify(&statement, &proof).unwrap_err(), expected);
        };
        let changed = |tensor: &Tensor, at: usize| {
            let mut tensor = tensor.clone();
            tensor.values_mut()[at] += if tensor.values()[at] > 0 { -1 } else { 1 };
            tensor
        };
        let [inputs, outputs] = [&scene.inputs, scene.trace.output()];
        (0..inputs.values().len()).for_each(|at| caught(&changed(inputs, at), outputs));
        (0..outputs.values().len()).for_each(|at| caught(inputs, &changed(outputs, at)));
    }
}

#[test]
fn explicit_witness_of_the_truth_proved_as_by_the_server() {
    for scene in [Scene::mlp(), Scene::pool(), Scene::split()] {
        let mut witness = scene.witness(&scene.plan, &mut |_, _| ());
        assert_eq!(witness.outputs(), *scene.trace.output());
        let statement = scene.statement(scene.trace.output());
        let proof = witness.prove(MerlinCoins::new(), &statement);
        let served = scene.model.prove("s", &SESSION, &scene.inputs, &scene.trace, Mode::Succinct).unwrap();
        assert!(proof == served, "one statement, one transcript, one proof");
    }
}

/// A witness is unique on real samples: any change of any committed cell, with all that follows from it, is found.
#[test]
fn any_cell_of_a_witness_changed_caught_by_the_look_ups() {
    for scene in [Scene::mlp(), Scene::pool(), Scene::split()] {
        let caught = |mut witness: Explicit<'_>, what: &str| {
            let outputs = witness.outputs();
            let statement = scene.statement(&outputs);
            if statement.check().is_err() {
                return;
            }
            let proof = witness.prove(MerlinCoins::new(), &statement);
            assert_eq!(verify(&statement, &proof).unwrap_err(), not_in_its_table(), "{what}");
        };
        let half = from_i64(1) / from_i64(2);
        for step in &scene.plan.steps {
            let (width, columns) = (1 << scene.plan.batch_bits(), step_columns(&scene.plan, step));
            for at in (0..step.len * width).step_by(3).filter(|at| at % width < scene.plan.batch) {
                for column in 0..columns {
                    let change = [from_i64(1), from_i64(-1), half][(at + column) % 3];
                    let mut seen = 0;
                    let witness = scene.witness(&scene.plan, &mut |made, cells| {
                        if made.value == step.value {
                            cells[column] += if seen == at { change } else { Fp::default() };
                            seen += 1;
                        }
                    });
                    caught(witness, &format!("value {}, cell {at} of column {column}", step.value));
                }
            }
        }
        let counts = scene.plan.tables[0].column << scene.plan.batch_bits();
        let all = scene.plan.columns << scene.plan.batch_bits();
        for at in (counts..all).step_by((all - counts) / 40 + 1) {
            let mut witness = scene.witness(&scene.plan, &mut |_, _| ());
            witness.columns[at] += half;
            caught(witness, &format!("multiplicity {}", at - counts));
        }
    }
}

/// Committed columns of a step.
fn step_columns(plan: &Plan, step: &Step) -> usize {
    match &plan.gates.values()[step.value].gate {
        Gate::Clamp { clamp, .. } => clamp.columns(),
        _ => 0,
    }
}
