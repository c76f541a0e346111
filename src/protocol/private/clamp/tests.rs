//! Steps between two honest ends against the one rounding rule, and what hostile messages come to.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;
use crate::net::{Channel, NetError, Step};
use crate::protocol::private::bits::low;
use crate::protocol::private::ot::Supply;
use crate::protocol::private::test_kit::{Altered, both};
use proptest::prelude::*;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

fn words(seed: u64, count: usize) -> Vec<u64> {
    let mix = |x: u64| (x ^ x >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (0..count as u64)
        .map(|i| mix(mix(seed.wrapping_add(i << 17).wrapping_mul(0x9e37_79b9_7f4a_7c15))))
        .collect()
}

/// z, and the shares of it that `seed` draws.
fn share(zs: &[i64], ring: u32, seed: u64) -> [Vec<u64>; 2] {
    let client: Vec<u64> = words(seed, zs.len()).iter().map(|word| word & low(ring)).collect();
    let server =
        zs.iter().zip(&client).map(|(z, share)| (*z as u64).wrapping_sub(*share) & low(ring)).collect();
    [client, server]
}

fn wanted(rounding: &Rounding, z: i64) -> u64 {
    let q = (z + (1 << rounding.shift >> 1)) >> rounding.shift;
    q.clamp(rounding.low, rounding.high) as u64 & low(rounding.into)
}

/// The material that comes of writing it down, among other bytes, and reading it back.
fn through_bytes(material: Material, plan: &Plan, party: Party, count: usize) -> Material {
    let mut bytes = Zeroizing::new(vec![7; 3]);
    material.encode(&mut bytes);
    drop(material);
    assert_eq!(bytes.len(), 3 + plan.material_bytes(party, count));
    bytes.push(9);
    let mut rest = &bytes[3..];
    let material = Material::decode(plan, party, count, &mut rest).unwrap();
    assert_eq!((&bytes[..3], rest), (&[7; 3][..], &[9][..]));
    material
}

/// Runs steps one after the other in one session, on material as it is drawn or kept as bytes, and insists on every result.
fn insist(steps: &[(Rounding, Vec<i64>)], kept: bool) {
    let plans: Vec<Plan> = steps.iter().map(|(rounding, _)| Plan::new(*rounding).unwrap()).collect();
    let shares: Vec<[Vec<u64>; 2]> =
        (1..).zip(steps).map(|(seed, (rounding, zs))| share(zs, rounding.ring, seed)).collect();
    let play = |party: Party, channel: &mut dyn Channel| {
        let mut session = Session::setup(channel, party, Supply::Extended).unwrap();
        let results = plans.iter().zip(&shares).map(|(plan, shares)| {
            let shares = &shares[usize::from(party == Party::Server)];
            let mut material = session.prepare(channel, plan, shares.len()).unwrap();
            if kept {
                material = through_bytes(material, plan, party, shares.len());
            }
            let before = channel.meter();
            let result = material.run(channel, shares).unwrap();
            let after = channel.meter();
            let header = crate::net::HEADER_BYTES;
            let traffic = plan.traffic(shares.len());
            let [up, down] = [
                traffic.up + plan.messages().div_ceil(2) * header,
                traffic.down + plan.messages() / 2 * header,
            ];
            let [sent, received] = if party == Party::Client { [up, down] } else { [down, up] };
            assert_eq!(
                [after.sent - before.sent, after.received - before.received],
                [sent as u64, received as u64]
            );
            result.to_vec()
        });
        results.collect::<Vec<_>>()
    };
    let (client, server) =
        both(|channel| play(Party::Client, channel), |channel| play(Party::Server, channel));
    for ((rounding, zs), (a, b)) in steps.iter().zip(client.iter().zip(&server)) {
        assert_eq!((a.len(), b.len()), (zs.len(), zs.len()));
        for (z, (a, b)) in zs.iter().zip(a.iter().zip(b)) {
            let got = a.wrapping_add(*b) & low(rounding.into);
            assert_eq!(got, wanted(rounding, *z), "{z} of {rounding:?}");
        }
    }
}

/// The widest range for which there is a plan.
fn widest(rounding: Rounding) -> Rounding {
    let half = 1 << (rounding.ring - 1);
    Rounding { range: [-half - rounding.offset(), half - 1 - rounding.offset()], ..rounding }
}

/// Every step of small rings, over its widest range.
fn small_steps() -> Vec<(Rounding, Vec<i64>)> {
    let mut steps = Vec::new();
    for ring in 2..=7 {
        for shift in 0..=ring {
            for (low, high) in [(0, 1), (0, 3), (-2, 3), (0, 4), (-1, 9), (2, 2), (0, 100), (-40, -30)] {
                let into = [1, 2, 8, 20, 64][(ring + shift + high as u32) as usize % 5];
                let rounding = widest(Rounding { ring, shift, low, high, range: [0, 0], into });
                steps.push((rounding, (rounding.range[0]..=rounding.range[1]).collect()));
            }
        }
    }
    steps
}

#[test]
fn every_accumulator_of_small_rings_is_rounded_exactly() {
    insist(&small_steps(), false);
}

#[test]
fn every_accumulator_of_small_rings_is_rounded_exactly_on_material_kept_as_bytes() {
    insist(&small_steps(), true);
}

#[test]
fn material_cut_short_or_with_a_filled_end_is_refused() {
    let plan =
        Plan::new(Rounding { ring: 20, shift: 8, low: 0, high: 255, range: [-400_000, 400_000], into: 19 });
    let plan = plan.unwrap();
    let play = |party: Party, channel: &mut dyn Channel| {
        let mut bytes = Zeroizing::new(Vec::new());
        Session::setup(channel, party, Supply::Extended)
            .unwrap()
            .prepare(channel, &plan, 7)
            .unwrap()
            .encode(&mut bytes);
        let want = plan.material_bytes(party, 7);
        assert_eq!(bytes.len(), want);
        for got in 0..want {
            let mut rest = &bytes[..got];
            let error = Material::decode(&plan, party, 7, &mut rest).unwrap_err();
            assert_eq!((error, rest.len()), (MaterialError::Truncated { got, want }, got));
        }
        let huge = Material::decode(&plan, party, usize::MAX, &mut &bytes[..]).unwrap_err();
        assert!(matches!(huge, MaterialError::Truncated { .. }));
        bytes[want - 1] |= 0x80;
        Material::decode(&plan, party, 7, &mut &bytes[..]).map(|_| ())
    };
    let ends = both(|c| play(Party::Client, c), |c| play(Party::Server, c));
    assert_eq!(ends, (Err(MaterialError::Filled), Err(MaterialError::Filled)));
}

#[test]
fn every_pair_of_shares_of_a_small_ring_gives_the_result() {
    let rounding = widest(Rounding { ring: 6, shift: 2, low: -1, high: 2, range: [0, 0], into: 9 });
    let plan = Plan::new(rounding).unwrap();
    let pairs: Vec<[u64; 2]> = (0..1 << 12).map(|i| [i & 63, i >> 6]).collect();
    let play = |party: Party, channel: &mut dyn Channel| {
        let shares: Vec<u64> = pairs.iter().map(|pair| pair[usize::from(party == Party::Server)]).collect();
        let mut session = Session::setup(channel, party, Supply::Extended).unwrap();
        session.prepare(channel, &plan, shares.len()).unwrap().run(channel, &shares).unwrap().to_vec()
    };
    let (client, server) = both(|c| play(Party::Client, c), |c| play(Party::Server, c));
    for (pair, (a, b)) in pairs.iter().zip(client.iter().zip(&server)) {
        let t = (pair[0] + pair[1]).wrapping_add(rounding.offset() as u64) & 63;
        let z = ((t << 58) as i64 >> 58) - rounding.offset();
        assert_eq!(a.wrapping_add(*b) & 511, wanted(&rounding, z), "{pair:?}");
    }
}

#[test]
fn results_are_those_of_the_plain_engine() {
    let rounding =
        Rounding { ring: 22, shift: 8, low: -128, high: 127, range: [-1 << 20, 1 << 20], into: 22 };
    let zs: Vec<i64> = words(9, 300).iter().map(|word| (word >> 43) as i64 - (1 << 20)).collect();
    for z in &zs {
        let plain = serin_circuits::quant::rescale(*z as i32, 8, -128, 127);
        assert_eq!(wanted(&rounding, *z), plain as u64 & low(22));
    }
    insist(&[(rounding, zs)], false);
}

#[test]
fn plan_of_what_cannot_be_is_refused() {
    let good = Rounding { ring: 20, shift: 8, low: 0, high: 255, range: [-1000, 1000], into: 20 };
    assert!(Plan::new(good).is_ok());
    let refused = |rounding: Rounding| Plan::new(rounding).unwrap_err();
    assert_eq!(refused(Rounding { ring: 41, ..good }), PlanError::Ring(41));
    assert_eq!(refused(Rounding { into: 0, ..good }), PlanError::Ring(0));
    assert_eq!(refused(Rounding { shift: 32, ..good }), PlanError::Shift(32));
    assert_eq!(refused(Rounding { low: 9, high: 8, ..good }), PlanError::Bounds { low: 9, high: 8 });
    let most = 1 << 19;
    assert_eq!(
        refused(Rounding { range: [0, most - 128], ..good }),
        PlanError::Range { least: 128, most, ring: 20 }
    );
}

#[test]
fn constant_step_needs_no_word() {
    let rounding = Rounding { ring: 20, shift: 8, low: 3, high: 3, range: [-1000, 1000], into: 20 };
    let plan = Plan::new(rounding).unwrap();
    assert_eq!(
        (plan.messages(), plan.traffic(100), plan.transfers(Party::Client)),
        (0, Traffic::default(), 0)
    );
}

/// What the client gets whose server alters a message.
fn against(turn: usize, alter: impl FnMut(&mut Vec<u8>) + Send) -> Result<Vec<u64>, ClampError> {
    let plan =
        Plan::new(Rounding { ring: 20, shift: 8, low: 0, high: 255, range: [-400_000, 400_000], into: 20 });
    let plan = plan.unwrap();
    let shares = words(4, 50);
    let (got, _) = both(
        |channel| {
            let mut session = Session::setup(channel, Party::Client, Supply::Extended)?;
            let material = session.prepare(channel, &plan, 50)?;
            Ok(material.run(channel, &shares)?.to_vec())
        },
        |channel| {
            let mut session = Session::setup(channel, Party::Server, Supply::Extended)?;
            let material = session.prepare(channel, &plan, 50)?;
            material.run(&mut Altered::new(channel, Step::round(turn as u8), alter), &shares).map(|_| ())
        },
    );
    got
}

#[test]
fn messages_of_any_content_are_taken_and_of_another_length_refused() {
    for turn in [1, 3, 5] {
        for byte in [0, 0xff, 0x5a] {
            let got = against(turn, |body| body.fill(byte)).unwrap();
            assert!(got.len() == 50 && got.iter().all(|share| *share < 1 << 20));
        }
        let error = against(turn, |body| body.truncate(3)).unwrap_err();
        assert!(matches!(error, ClampError::Length { got: 3, turn: at, .. } if at == turn), "{error}");
        let error = against(turn, |body| body.push(0)).unwrap_err();
        assert!(matches!(error, ClampError::Net(NetError::Oversize { .. })), "{error}");
    }
}

#[test]
fn shares_of_another_number_are_misuse_and_material_shows_nothing() {
    let plan =
        Plan::new(Rounding { ring: 9, shift: 0, low: 0, high: 255, range: [-255, 255], into: 20 }).unwrap();
    let play = |party: Party, channel: &mut dyn Channel| {
        let mut session = Session::setup(channel, party, Supply::Extended).unwrap();
        let material = session.prepare(channel, &plan, 5).unwrap();
        let shown = format!("{material:?}");
        assert!(matches!(material.run(channel, &[1; 4]), Err(ClampError::Misuse(_))));
        shown
    };
    let (client, _) = both(|c| play(Party::Client, c), |c| play(Party::Server, c));
    assert_eq!(client, "Material { Client, 5 elements, contents hidden }");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn results_over_any_range_are_exact(
        ring in 2..=40u32, shift in 0..=31u32, low in -300..300i64, span in 0..600i64, narrow in 0..3i64,
        into in 1..=64u32, count in 1..300usize, seed: u64, kept: bool,
    ) {
        let mut rounding = widest(Rounding { ring, shift, low, high: low + span, range: [0, 0], into });
        let [least, most] = rounding.range;
        rounding.range = [least + (most - least) / 4 * narrow, most];
        let [least, most] = rounding.range;
        let near = [least, least + 1, most, most - 1, 0, -1].into_iter().chain((0..2).flat_map(|end| {
            let edge = (low + end * (span + 1)) * (1 << shift) - (1 << shift >> 1);
            edge - 2..=edge + 2
        }));
        let random = words(seed, count).into_iter().map(|word| {
            least + ((u128::from(word) * (most - least + 1) as u128) >> 64) as i64
        });
        let zs: Vec<i64> = near.filter(|z| (least..=most).contains(z)).chain(random).take(count).collect();
        insist(&[(rounding, zs)], kept);
    }
}

/// Bytes and time per element; run with `--ignored --nocapture`, in release.
#[test]
#[ignore = "measures, on 2^14 elements"]
fn cost_of_steps() {
    let count = 1 << 14;
    let relu = |ring: u32| Rounding {
        ring,
        shift: 8,
        low: 0,
        high: 255,
        range: [-1 << (ring - 2), 1 << (ring - 2)],
        into: ring,
    };
    let pool = Rounding { ring: 9, shift: 0, low: 0, high: 255, range: [-255, 255], into: 20 };
    let steps = [
        relu(20),
        relu(22),
        relu(24),
        Rounding { high: 200, ..relu(20) },
        Rounding { low: -128, high: 127, ..relu(20) },
        pool,
        Rounding { ring: 20, ..pool },
    ];
    let play = |party: Party, channel: &mut dyn Channel| {
        let start = Instant::now();
        let mut session = Session::setup(channel, party, Supply::Silent).unwrap();
        let warm = Plan::new(steps[0]).unwrap();
        session.prepare(channel, &warm, 1).unwrap();
        let setup = start.elapsed();
        let mut lines = vec![format!("setup and first batches: {setup:.1?}")];
        for rounding in steps {
            let plan = Plan::new(rounding).unwrap();
            let shares: Vec<u64> = words(3, count).iter().map(|word| word & low(rounding.ring)).collect();
            let (start, before) = (Instant::now(), channel.meter());
            let material = session.prepare(channel, &plan, count).unwrap();
            let (drawn, after) = (start.elapsed(), channel.meter());
            let start = Instant::now();
            let material = through_bytes(material, &plan, party, count);
            let kept = start.elapsed();
            let start = Instant::now();
            material.run(channel, &shares).unwrap();
            let ran = start.elapsed();
            let traffic = plan.traffic(count);
            let bytes = |party| plan.material_bytes(party, count) as f64 / count as f64;
            let micros = |time: Duration| time.as_secs_f64() * 1e6 / count as f64;
            lines.push(format!(
                "k {} s {} H {}: {} messages, {:.1} bytes up, {:.1} down, transfers {} + {}; drawn in {:.2} µs ({} bytes), kept as {:.1} and {:.1} bytes in {:.2} µs, run in {:.2} µs",
                rounding.ring, rounding.shift, rounding.high - rounding.low, plan.messages(),
                traffic.up as f64 / count as f64, traffic.down as f64 / count as f64,
                plan.transfers(Party::Client), plan.transfers(Party::Server),
                micros(drawn), after.sent + after.received - before.sent - before.received,
                bytes(Party::Client), bytes(Party::Server), micros(kept), micros(ran),
            ));
        }
        lines
    };
    let (lines, _) = both(|c| play(Party::Client, c), |c| play(Party::Server, c));
    lines.iter().for_each(|line| println!("{line}"));
}
