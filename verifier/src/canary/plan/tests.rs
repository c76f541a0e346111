#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::quality::{labelled_canaries, reference_canaries};
use super::super::{Level, Rate};
use super::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    #[serde(rename = "about")]
    _about: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    ask: Ask,
    success: bool,
    answer: Option<Value>,
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Ask {
    Plan { queries: u64, bits: u32 },
    Bound { queries: u64, copies: u64, canaries: u64, wrong: u64, honest_error: f64 },
    Labelled { claimed_error: f64, alternative_error: f64, alpha: f64, beta: f64 },
    Reference { disagreement: f64, beta: f64 },
}

impl Ask {
    fn answer(&self) -> Result<Value, CanaryError> {
        Ok(match *self {
            Self::Plan { queries, bits } => json!(plan(queries, bits)?),
            Self::Bound { queries, copies, canaries, wrong, honest_error } => {
                let tolerance = Tolerance::new(wrong, Rate::new(honest_error)?)?;
                json!(Plan::of(Mix::new(queries, copies, canaries)?, &tolerance))
            }
            Self::Labelled { claimed_error, alternative_error, alpha, beta } => {
                let (claimed, alternative) = (Rate::new(claimed_error)?, Rate::new(alternative_error)?);
                json!(labelled_canaries(claimed, alternative, Level::new(alpha)?, Level::new(beta)?)?)
            }
            Self::Reference { disagreement, beta } => {
                json!(reference_canaries(Rate::new(disagreement)?, Level::new(beta)?)?)
            }
        })
    }
}

/// Whole numbers equal, reals to 10⁻⁶, objects field by field.
fn same(got: &Value, expected: &Value) -> bool {
    match (got, expected) {
        (Value::Object(got), Value::Object(expected)) => {
            got.len() == expected.len()
                && expected.iter().all(|(name, value)| got.get(name).is_some_and(|got| same(got, value)))
        }
        (Value::Number(got), Value::Number(expected)) if expected.is_f64() => {
            (got.as_f64().unwrap() - expected.as_f64().unwrap()).abs() < 1e-6
        }
        _ => got == expected,
    }
}

#[test]
fn plan_vectors_good_and_bad_reproduced() {
    let vectors: Vectors = serde_json::from_str(include_str!("../../../vectors/plan.json")).unwrap();
    for Case { name, ask, success, answer, error } in vectors.cases {
        match ask.answer() {
            Ok(got) => assert!(success && same(&got, &answer.unwrap()), "{name}: {got}"),
            Err(refusal) => {
                assert!(!success && json!(refusal)["error"] == error.unwrap(), "{name}: {refusal}")
            }
        }
    }
}

#[test]
fn plan_small_sessions_cheaper_mix_does_not_exist() {
    for (queries, bits) in [(1, 10), (2, 10), (3, 20), (7, 16), (20, 12), (100, 10)] {
        let best = plan(queries, bits).unwrap();
        assert!(best.bits >= f64::from(bits));
        for copies in 1..=best.mix.positions() / queries {
            for canaries in 0..=best.mix.positions() - queries * copies {
                let other = Plan::of(Mix::new(queries, copies, canaries).unwrap(), &Tolerance::EXACT);
                let better = other.reaches(bits) && other.cheaper_than(&best);
                assert!(!better, "{queries} {bits}: {other:?} beats {best:?}");
            }
        }
    }
}

#[test]
fn plan_through_json_unchanged() {
    let found = plan(100, 40).unwrap();
    let json = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), found);
}

#[test]
fn plan_labelled_found_one_copy_fewer_fails() {
    let tolerance = Tolerance::new(14, Rate::new(0.02).unwrap()).unwrap();
    let found = plan_labelled(100, 291, &tolerance, 40).unwrap();
    assert!(found.bits >= 40.0);
    let fewer = Mix::new(100, found.mix.copies() - 1, 291).unwrap();
    assert!(Plan::of(fewer, &tolerance).bits < 40.0);
}

#[test]
fn plan_labelled_all_canaries_forgiven_refused() {
    let tolerance = Tolerance::new(9, Rate::ZERO).unwrap();
    assert_eq!(plan_labelled(10, 9, &tolerance, 40), Err(CanaryError::OutOfReach { queries: 10, bits: 40 }));
    assert!(matches!(plan_labelled(10, u64::MAX, &tolerance, 40), Err(CanaryError::TooManyPositions { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn plan_any_session_reaches_bits_and_one_canary_fewer_fails(queries in 1u64..200_000, bits in 1u32..=128) {
        let found = plan(queries, bits).unwrap();
        prop_assert!(found.bits >= f64::from(bits));
        let (copies, canaries) = (found.mix.copies(), found.mix.canaries());
        let fewer = Mix::new(queries, copies, canaries - 1).unwrap();
        prop_assert!(!Plan::of(fewer, &Tolerance::EXACT).reaches(bits));
    }

    #[test]
    fn plan_any_input_no_panic(queries: u64, bits: u32, canaries: u64) {
        let _ = plan(queries, bits);
        let _ = plan_labelled(queries, canaries, &Tolerance::EXACT, bits);
    }
}
