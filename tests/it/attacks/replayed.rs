//! A transcript that forgets one message of a `succinct` proof: whoever learns the coins in a first run alters that message in a second.
//!
//! Two messages stand for all: the first, which every coin must depend on, and a round of a sumcheck. A forgotten message is one whose
//! coins are known ([`super::known`]), so what a forger does with any other is there.

use std::cell::RefCell;
use std::rc::Rc;

use serin_circuits::field::{Ext, ext, from_i64, from_uniform, lift};
use serin_circuits::poly::eq_table;
use serin_verifier::lookup::plan::Fingerprint;
use serin_verifier::rejection::{Fault, Place, Rejection};
use serin_verifier::script::{Coins, MerlinCoins, Proving, Script};
use serin_verifier::verify::{verify, verify_with};

use super::Forgetful;
use super::known::{altered, balance, one_more};
use super::scene::{Scene, not_in_its_table};

type Log = Rc<RefCell<Vec<(&'static str, Vec<Ext>)>>>;

/// A transcript that writes down what it draws.
struct Recording {
    inner: Forgetful,
    log: Log,
}

impl Coins for Recording {
    fn absorb(&mut self, label: &'static str, bytes: &[u8]) {
        self.inner.absorb(label, bytes);
    }

    fn squeeze(&mut self, label: &'static str, out: &mut [u8]) {
        self.inner.squeeze(label, out);
        let limbs: Vec<_> = out.as_chunks::<16>().0.iter().map(|limb| from_uniform(*limb)).collect();
        let coins = limbs.chunks_exact(2).map(|pair| ext(pair[0], pair[1])).collect();
        self.log.borrow_mut().push((label, coins));
    }
}

#[test]
fn multiplicities_forged_under_a_transcript_that_forgets_the_columns() {
    let scene = Scene::mlp();
    let mut witness = one_more(&scene);
    let outputs = witness.outputs();
    let statement = scene.statement(&outputs);
    let forgetful = || Forgetful::new("columns");
    // The coins do not depend on what is committed, so it is chosen after them.
    let mut script = Proving::new(forgetful(), statement.mode.header().as_bytes());
    statement.absorb(&mut script);
    let fingerprint = Fingerprint::new(script.coin("alpha"), script.coin("beta"));
    balance(&scene, &mut witness, &fingerprint);
    let proof = witness.prove(forgetful(), &statement);
    verify_with(forgetful(), &statement, &proof).unwrap();
    let proof = witness.prove(MerlinCoins::new(), &statement);
    assert_eq!(verify(&statement, &proof).unwrap_err(), not_in_its_table());
}

#[test]
fn answer_forged_under_a_transcript_that_forgets_the_rounds() {
    let scene = Scene::mlp();
    let outputs = altered(&scene, 4);
    let statement = scene.statement(&outputs);
    let log = Log::default();
    let recording = Recording { inner: Forgetful::new("round"), log: Rc::clone(&log) };
    scene.witness(&scene.plan, &mut |_, _| ()).prove(recording, &statement);
    let log = log.take();
    let drawn = |label| log.iter().find(|(drawn, _)| *drawn == label).unwrap().1.clone();
    // The rounds over the columns are the last before positions are drawn.
    let opening = log.iter().position(|(label, _)| *label == "columns").unwrap();
    let (label, first) = &log[opening - scene.plan.column_bits()];
    assert_eq!(*label, "round");

    let mut witness = scene.witness(&scene.plan, &mut |_, _| ()).told(first[0]);
    let (join, at_entry) = (drawn("join")[0], eq_table(&drawn("answer"))[1]);
    witness.off = Some(Box::new(move |sample| join * eq_table(sample)[1] * at_entry * lift(from_i64(1000))));
    let proof = witness.prove(Forgetful::new("round"), &statement);
    verify_with(Forgetful::new("round"), &statement, &proof).unwrap();
    let proof = witness.prove(MerlinCoins::new(), &statement);
    assert_eq!(verify(&statement, &proof).unwrap_err(), Rejection::new(Place::Columns, Fault::Columns));
}
