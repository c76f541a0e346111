#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::super::chance::lower_tail;
use super::super::quality::labelled_canaries;
use super::*;
use proptest::prelude::*;

fn criteria() -> Criteria {
    Criteria {
        claimed_error: Rate::new(0.02).unwrap(),
        alpha: Level::new(1e-3).unwrap(),
        beta: Level::new(1e-3).unwrap(),
        tolerance: None,
        least_accuracy: Some(0.90),
        least_agreement: None,
    }
}

fn at(position: usize, canary: Canary) -> Outcome {
    Outcome { position: Position(position as u64), canary }
}

fn labelled(asked: usize, wrong: usize) -> Vec<Outcome> {
    (0..asked).map(|i| at(i, Canary::Labelled { right: i >= wrong })).collect()
}

fn verdict(criteria: &Criteria, outcomes: &[Outcome]) -> Verdict {
    judge(criteria, outcomes, &[]).unwrap().verdict
}

#[test]
fn judge_wrong_up_to_threshold_not_rejected_one_more_rejected() {
    let at_threshold = judge(&criteria(), &labelled(291, 14), &[]).unwrap();
    assert_eq!(at_threshold.labelled.threshold, 14);
    assert_eq!(at_threshold.verdict, Verdict::Accepted);
    let demanding = Criteria { least_accuracy: Some(0.95), ..criteria() };
    assert!(matches!(verdict(&demanding, &labelled(291, 14)), Verdict::Inconclusive { .. }));
    assert_eq!(
        verdict(&criteria(), &labelled(291, 15)),
        Verdict::Rejected { reasons: vec![Reason::ErrorRate { wrong: 15, threshold: 14 }] }
    );
}

#[test]
fn judge_few_wrong_accepted_when_assured() {
    let judgement = judge(&criteria(), &labelled(291, 5), &[]).unwrap();
    assert_eq!(judgement.verdict, Verdict::Accepted);
    assert!(judgement.labelled.assured() >= 0.90 && judgement.labelled.error_at_least < 5.0 / 291.0);
    let demanding = Criteria { least_accuracy: Some(0.99), ..criteria() };
    assert!(matches!(
        verdict(&demanding, &labelled(291, 5)),
        Verdict::Inconclusive { missing } if matches!(missing[..], [Missing::Accuracy { least: 0.99, .. }])
    ));
    let senseless = Criteria { least_accuracy: Some(f64::NAN), ..criteria() };
    assert!(matches!(verdict(&senseless, &labelled(291, 0)), Verdict::Inconclusive { .. }));
}

#[test]
fn judge_tolerance_exceeded_rejected() {
    let strict = Criteria { tolerance: Some(3), ..criteria() };
    assert_eq!(
        verdict(&strict, &labelled(291, 4)),
        Verdict::Rejected { reasons: vec![Reason::Tolerance { wrong: 4, tolerance: 3 }] }
    );
    assert_eq!(verdict(&strict, &labelled(291, 3)), Verdict::Accepted);
}

#[test]
fn judge_one_reference_differs_rejected_and_named() {
    let mut outcomes = labelled(291, 0);
    outcomes.extend((291..391).map(|i| at(i, Canary::Reference { equal: i != 300 })));
    let judgement = judge(&criteria(), &outcomes, &[]).unwrap();
    let reasons = vec![Reason::Reference { position: Position(300) }];
    assert_eq!(judgement.verdict, Verdict::Rejected { reasons });
    assert_eq!(judgement.reference.tally, Tally::new(100, 1).unwrap());
}

#[test]
fn judge_copies_disagree_rejected_and_named() {
    let disagreement = Disagreement { query: 4, first: Position(9), differing: vec![Position(2)] };
    let judgement = judge(&criteria(), &labelled(291, 0), std::slice::from_ref(&disagreement)).unwrap();
    assert_eq!(judgement.verdict, Verdict::Rejected { reasons: vec![Reason::Copies(disagreement)] });
}

#[test]
fn judge_nothing_tested_inconclusive() {
    let undemanding = Criteria { least_accuracy: None, ..criteria() };
    let judgement = judge(&undemanding, &[], &[]).unwrap();
    assert_eq!(judgement.verdict, Verdict::Inconclusive { missing: vec![Missing::Canaries] });
    assert_eq!((judgement.labelled.error_at_most, judgement.labelled.detectable_error), (1.0, None));
}

#[test]
fn judge_references_alone_assure_agreement() {
    let outcomes: Vec<_> = (0..135).map(|i| at(i, Canary::Reference { equal: true })).collect();
    let wanted = Criteria { least_accuracy: None, least_agreement: Some(0.95), ..criteria() };
    let judgement = judge(&wanted, &outcomes, &[]).unwrap();
    assert_eq!(judgement.verdict, Verdict::Accepted);
    assert!(judgement.reference.detectable_error.unwrap() <= 0.05);
    assert!(matches!(verdict(&wanted, &outcomes[..134]), Verdict::Inconclusive { .. }));
}

#[test]
fn judgement_through_json_unchanged() {
    let mut outcomes = labelled(291, 40);
    outcomes.push(at(291, Canary::Reference { equal: false }));
    let disagreement = Disagreement { query: 0, first: Position(300), differing: vec![Position(301)] };
    let judgement = judge(&criteria(), &outcomes, &[disagreement]).unwrap();
    let json = serde_json::to_value(&judgement).unwrap();
    assert_eq!(json["verdict"]["verdict"], "rejected");
    assert_eq!(json["verdict"]["reasons"][0]["reason"], "copies");
    assert_eq!(serde_json::from_value::<Judgement>(json).unwrap(), judgement);
    let outcomes_again: Vec<Outcome> =
        serde_json::from_value(serde_json::to_value(&outcomes).unwrap()).unwrap();
    assert_eq!(outcomes_again, outcomes);
}

#[test]
fn detectable_error_of_planned_run_is_at_most_the_planned_alternative() {
    let Criteria { claimed_error, alpha, beta, .. } = criteria();
    let planned = labelled_canaries(claimed_error, Rate::new(0.10).unwrap(), alpha, beta).unwrap();
    let assess = |asked| Assessment::of(Tally::new(asked, 0).unwrap(), claimed_error, alpha, beta);
    assert!(assess(planned.canaries).detectable_error.unwrap() <= 0.10);
    assert!(assess(planned.canaries - 1).detectable_error.unwrap() > 0.10);
}

proptest! {
    #[test]
    fn assessment_any_tally_consistent(asked in 0u64..=Tally::MAX_ASKED, part in 0.0..=1.0f64, p0 in 0.0..1.0f64, a in 1e-12..=0.5f64, b in 1e-12..=0.5f64) {
        let tally = Tally::new(asked, (asked as f64 * part) as u64).unwrap();
        let (p0, alpha, beta) = (Rate::new(p0).unwrap(), Level::new(a).unwrap(), Level::new(b).unwrap());
        let seen = Assessment::of(tally, p0, alpha, beta);
        prop_assert!(seen.error_at_least <= seen.error_at_most + 1e-12);
        prop_assert!(seen.threshold <= asked && (0.0..=1.0).contains(&seen.p_value));
        prop_assert_eq!(seen.fails(), seen.p_value <= a && tally.wrong() > 0);
        if let Some(error) = seen.detectable_error {
            prop_assert!(lower_tail(asked, error, seen.threshold) <= b);
            prop_assert!(seen.detectable_drop().unwrap() >= -1e-6);
        }
    }

    #[test]
    fn judge_any_counts_no_panic(asked in 0usize..300, wrong in 0usize..300, same in 0usize..40, other in 0usize..3, tolerance: Option<u64>, least: Option<f64>) {
        let mut outcomes = labelled(asked, wrong);
        outcomes.extend((0..same).map(|i| at(i, Canary::Reference { equal: true })));
        outcomes.extend((0..other).map(|i| at(i, Canary::Reference { equal: false })));
        let terms = Criteria { tolerance, least_accuracy: least, least_agreement: least, ..criteria() };
        let verdict = verdict(&terms, &outcomes);
        let rejected = matches!(verdict, Verdict::Rejected { .. });
        prop_assert!(other == 0 || rejected);
    }
}
