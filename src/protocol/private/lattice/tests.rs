//! Both sides together: exactness on random geometries and at the extremes of the noise, hostile bytes, and what it
//! costs.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serin_circuits::graph::{Linear, Window};
use zeroize::Zeroizing;

use super::params::ERROR;
use super::server::{Coins, Draw};
use super::switch::Switch;
use super::*;

/// Y[n, g·O+o, p] = Σ W[g·O+o, c, d]·X[n, g·C+c, p·stride + d − pad] modulo 2^bits, by definition.
fn convolve(linear: &Linear, batch: usize, weights: &[i32], x: &[u32], bits: u32) -> Vec<u32> {
    let ([height, width], [out_h, out_w], [kernel_h, kernel_w]) =
        (linear.image, linear.output_image(), linear.window.kernel);
    let mut y = Vec::new();
    for n in 0..batch {
        for o in 0..linear.output_channels() {
            let group = o / linear.outputs;
            for (p, q) in (0..out_h).flat_map(|p| (0..out_w).map(move |q| (p, q))) {
                let mut sum = 0u32;
                for c in 0..linear.channels {
                    for (d, e) in (0..kernel_h).flat_map(|d| (0..kernel_w).map(move |e| (d, e))) {
                        let row = linear.window.source(0, p, d, height);
                        let column = linear.window.source(1, q, e, width);
                        if let (Some(row), Some(column)) = (row, column) {
                            let channel = n * linear.input_channels() + group * linear.channels + c;
                            let at = (channel * height + row) * width + column;
                            let w = weights[((o * linear.channels + c) * kernel_h + d) * kernel_w + e];
                            sum = sum.wrapping_add((w as u32).wrapping_mul(x[at]));
                        }
                    }
                }
                y.push(reduce(sum, bits));
            }
        }
    }
    y
}

fn reduce(v: u32, bits: u32) -> u32 {
    v & (u32::MAX >> (32 - bits))
}

fn conv(groups: usize, channels: usize, outputs: usize, image: [usize; 2], window: Window) -> Linear {
    Linear { groups, channels, outputs, window, image, weight_exponent: 0 }
}

fn plain(channels: usize, outputs: usize, image: usize, kernel: usize) -> Linear {
    conv(1, channels, outputs, [image; 2], Window { kernel: [kernel; 2], stride: [1; 2], padding: [0; 4] })
}

fn draw_masks(plan: &Plan, rng: &mut StdRng) -> Vec<u32> {
    (0..plan.inputs()).map(|_| reduce(rng.next_u32(), plan.params().ring_bits())).collect()
}

fn draw_weights(plan: &Plan, rng: &mut StdRng) -> Vec<i32> {
    let bound = u64::from(plan.params().max_weight());
    (0..plan.weights()).map(|_| (rng.next_u64() % (2 * bound + 1)) as i32 - bound as i32).collect()
}

/// Runs both sides and compares with the definition.
fn share(params: Params, linear: &Linear, batch: usize, seed: u64) {
    share_by(&Plan::new(&params, linear, batch).unwrap(), linear, batch, seed);
}

fn share_by(plan: &Plan, linear: &Linear, batch: usize, seed: u64) {
    let (mut rng, params) = (StdRng::seed_from_u64(seed), *plan.params());
    let client = Client::new(params, &mut rng);
    let server = Server::new(params, &client.public_key(&mut rng)).unwrap();
    let (masks, weights) = (draw_masks(plan, &mut rng), draw_weights(plan, &mut rng));
    let query = client.ask(plan, &masks, &mut rng).unwrap();
    assert_eq!(query.len(), plan.bytes_up());
    let Answer { bytes, share } = server.answer(plan, &weights, &query, &mut rng).unwrap();
    assert_eq!(bytes.len(), plan.bytes_down());
    let own = client.read(plan, &bytes).unwrap();
    let sum: Vec<u32> =
        own.iter().zip(&share).map(|(a, b)| reduce(a.wrapping_add(*b), params.ring_bits())).collect();
    assert_eq!(sum, convolve(linear, batch, &weights, &masks, params.ring_bits()), "{plan:?}");
}

fn windows() -> impl Strategy<Value = Window> {
    let axis = (1usize..=5, 1usize..=4).prop_flat_map(|(k, s)| (Just(k), Just(s), 0..k, 0..k));
    [axis.clone(), axis].prop_map(|[(k, s, a, b), (l, t, c, d)]| Window {
        kernel: [k, l],
        stride: [s, t],
        padding: [a, c, b, d],
    })
}

#[test]
fn node_too_wide_for_the_networks_switch_is_shared_without_one() {
    let params = Params::new(26, 127, 109).unwrap().with_switch(Some(Switch::OFFERED[0]));
    let dense = Linear::dense(60, 8, 0);
    let plan = Plan::new(&params, &dense, 5).unwrap();
    assert_eq!((plan.switch, plan.params().switch().is_some()), (None, true));
    share_by(&plan, &dense, 5, 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn shares_of_any_convolution_sum_to_it(
        window in windows(), groups in 1usize..=3, channels in 1usize..=6, outputs in 1usize..=6,
        image in [5usize..=14, 5usize..=14], batch in 1usize..=33, bits in 1u32..=32, seed in any::<u64>(),
    ) {
        let linear = conv(groups, channels, outputs, image, window);
        share(Params::new(bits, 127, 109).unwrap(), &linear, batch, seed);
        let layer = [(linear, batch)];
        share(Params::cheapest(bits, 127, &layer).unwrap(), &linear, batch, seed);
    }

    #[test]
    fn shares_of_any_dense_layer_sum_to_it(
        inputs in 1usize..=300, outputs in 1usize..=200, batch in 1usize..=33, bits in 1u32..=32,
        wide: bool, seed in any::<u64>(),
    ) {
        let linear = Linear::dense(inputs, outputs, 0);
        let bound = if wide { 1 << 15 } else { 127 };
        share(Params::cheapest(bits, bound, &[(linear, batch)]).unwrap(), &linear, batch, seed);
    }

    #[test]
    fn shares_of_any_switched_layer_sum_to_it(
        pixels in 1usize..=3, kernel in [1usize..=3, 1usize..=3], groups in 1usize..=3, channels in 1usize..=200,
        outputs in 1usize..=40, batch in 1usize..=9, bits in 1u32..=25, choice in 0..Switch::OFFERED.len(),
        which in any::<usize>(), seed in any::<u64>(),
    ) {
        let window = Window { kernel, stride: [1; 2], padding: [0; 4] };
        let linear = conv(groups, channels, outputs, [pixels + kernel[0] - 1, pixels + kernel[1] - 1], window);
        let params = Params::new(bits, 127, 109).unwrap();
        let switch = Switch::OFFERED[choice];
        prop_assume!(switch.mask_bits(bits).is_some());
        let plans = Plan::every_switched(&params, switch, &linear, batch).unwrap();
        prop_assume!(!plans.is_empty());
        share_by(&plans[which % plans.len()], &linear, batch, seed);
    }

    #[test]
    fn messages_of_hostile_bytes_are_refused_or_answered_without_panic(
        kind in 0usize..3, cut in 0usize..200, choice in 0..=Switch::OFFERED.len(),
        flips in proptest::collection::vec((any::<usize>(), any::<u8>()), 0..9), seed in any::<u64>(),
    ) {
        let mut rng = StdRng::seed_from_u64(seed);
        let params = Params::new(18, 127, 80).unwrap().with_switch(Switch::OFFERED.get(choice).copied());
        let plan = Plan::new(&params, &Linear::dense(20, 3, 0), 1).unwrap();
        prop_assert_eq!(plan.switch.is_some(), choice < Switch::OFFERED.len());
        let client = Client::new(params, &mut rng);
        let key = client.public_key(&mut rng);
        let server = Server::new(params, &key).unwrap();
        let query = client.ask(&plan, &draw_masks(&plan, &mut rng), &mut rng).unwrap();
        let answer = server.answer(&plan, &[1; 60], &query, &mut rng).unwrap().bytes;
        let mut bytes = [key, query, answer][kind].clone();
        let full = bytes.len();
        bytes.truncate(full - cut);
        let length = bytes.len();
        flips.iter().for_each(|(at, v)| bytes[at % length] ^= v);
        let refused = match kind {
            0 => Server::new(params, &bytes).err(),
            1 => server.answer(&plan, &[1; 60], &bytes, &mut rng).err(),
            _ => client.read(&plan, &bytes).err(),
        };
        if cut > 0 {
            let short = matches!(refused, Some(LatticeError::Length { found, expected, .. }) if (found, expected) == (length, full));
            prop_assert!(short);
        }
    }
}

/// The sign of x^shift's wrap: the factor at `at` that adds to coefficient `target`, and where.
fn reflected(target: usize, values: &[i64]) -> Zeroizing<Vec<i64>> {
    let n = values.len();
    let turn = |at: usize| if at <= target { values[target - at] } else { -values[n + target - at] };
    Zeroizing::new((0..n).map(|at| ERROR * if turn(at) < 0 { -1 } else { 1 }).collect())
}

/// Coins that hurt most.
struct Extremes {
    blind: Vec<i64>,
    error: Zeroizing<Vec<i64>>,
    flood: u128,
    share: u32,
    rng: StdRng,
}

impl Draw for Extremes {
    fn coins(&mut self, results: usize) -> (Coins, Vec<u32>) {
        let blind = Zeroizing::new(self.blind.clone());
        let coins = Coins { blind, error: self.error.clone(), flood: vec![self.flood; results] };
        (coins, vec![self.share; results])
    }

    fn dither(&mut self) -> u64 {
        self.rng.next_u64()
    }
}

/// Two results of a dense layer with every error, blind and weight at its bound and of the sign that hurts the
/// first, under a given flood.
fn at_extremes(params: Params, flood: impl Fn(u128) -> u128) -> bool {
    let mut rng = StdRng::seed_from_u64(7);
    let linear = Linear::dense(900, 2, 0);
    let plan = Plan::new(&params, &linear, 1).unwrap();
    assert_eq!(plan.switch, params.switch());
    let client = Client::new(params, &mut rng);
    let mut place = None;
    plan.packing.results(0, 0, 0, |from, _| place = place.or(Some(from)));
    let target = place.unwrap();

    let blind = vec![1; N];
    let key_error = reflected(target, &blind);
    let key = [
        client.encrypt_with(&params, &[Zeroizing::new(vec![0; N])], &[key_error], [1; 32]),
        client.public_key(&mut rng).split_off(params.public_key_bytes()),
    ];
    let key = key.concat();
    let server = Server::new(params, &key).unwrap();
    let bits = params.ring_bits();
    let (mut message, mut row) = (Zeroizing::new(vec![0; N]), vec![0; N]);
    let weights = vec![params.max_weight() as i32; plan.weights()];
    plan.packing.weights(0, 0, 0, |to, _| row[to] = 1);
    plan.packing.masks(0, 0, 0, |to, _| message[to] = 1 << (bits - 1));
    assert_eq!(plan.queries(), 1);
    let query = client.encrypt_with(&params, &[message], &[reflected(target, &row)], [2; 32]);
    let error = reflected(target, &client.secret());
    let last = u32::MAX >> (32 - bits);
    let draw = Extremes { blind, error, flood: flood(params.flood(plan.terms()).unwrap()), share: last, rng };
    let answer = server.answer_with(&plan, &weights, &query, draw).unwrap();
    let masks = vec![1 << (bits - 1); plan.inputs()];
    let expected: Vec<u32> = convolve(&linear, 1, &weights, &masks, bits)
        .into_iter()
        .map(|y| reduce(y.wrapping_add(1), bits))
        .collect();
    client.read(&plan, &answer.bytes).unwrap() == expected
}

#[test]
fn noise_at_its_bound_is_decrypted_exactly_and_beyond_it_is_not() {
    for params in [(1, 127, 77), (20, 127, 80), (20, 127, 109), (26, 1 << 16, 109), (32, 127, 109)] {
        let params = Params::new(params.0, params.1, params.2).unwrap();
        assert!(at_extremes(params, |_| 0), "{params:?}");
        assert!(at_extremes(params, |half| 2 * half - 1), "{params:?}");
        // The flood has an eighth of a step on either side: six more are beyond every rounding.
        assert!(!at_extremes(params, |half| 6 * half), "{params:?}");
    }
}

#[test]
fn noise_at_its_bound_is_decrypted_exactly_after_a_switch_and_beyond_it_is_not() {
    for (bits, modulus) in [(1, 77), (20, 80), (20, 109), (22, 109), (25, 109)] {
        for switch in Switch::OFFERED.into_iter().filter(|switch| switch.mask_bits(bits).is_some()) {
            let params = Params::new(bits, 127, modulus).unwrap().with_switch(Some(switch));
            assert!(at_extremes(params, |_| 0), "{params:?}");
            assert!(at_extremes(params, |half| 2 * half - 1), "{params:?}");
            assert!(!at_extremes(params, |half| 6 * half), "{params:?}");
        }
    }
}

#[test]
fn answers_to_one_query_share_no_mask_and_reveal_only_their_sum() {
    let mut rng = StdRng::seed_from_u64(3);
    let linear = Linear::dense(64, 8, 0);
    let params = Params::cheapest(20, 127, &[(linear, 2)]).unwrap();
    let plan = Plan::new(&params, &linear, 2).unwrap();
    let client = Client::new(params, &mut rng);
    let server = Server::new(params, &client.public_key(&mut rng)).unwrap();
    let query = client.ask(&plan, &draw_masks(&plan, &mut rng), &mut rng).unwrap();
    let weights = vec![0; plan.weights()];
    let [a, b] = [(); 2].map(|()| server.answer(&plan, &weights, &query, &mut rng).unwrap());
    let same = a.bytes.iter().zip(&b.bytes).filter(|(a, b)| a == b).count();
    assert!(same < a.bytes.len() / 64, "{same} of {} bytes", a.bytes.len());
    // With weights of zero the client's share is −S, and the mask is no multiple of the query's.
    let own = client.read(&plan, &a.bytes).unwrap();
    assert!(own.iter().zip(&a.share).all(|(own, s)| reduce(own.wrapping_add(*s), 20) == 0));
}

#[test]
fn arguments_that_do_not_fit_the_plan_are_refused() {
    let mut rng = StdRng::seed_from_u64(5);
    let params = Params::new(18, 7, 80).unwrap();
    let plan = Plan::new(&params, &Linear::dense(4, 2, 0), 1).unwrap();
    let client = Client::new(params, &mut rng);
    let server = Server::new(params, &client.public_key(&mut rng)).unwrap();
    let ask = |masks: &[u32]| client.ask(&plan, masks, &mut StdRng::seed_from_u64(1));
    assert!(matches!(ask(&[0; 3]), Err(LatticeError::Length { what: "masks", .. })));
    assert!(matches!(ask(&[0, 0, 1 << 18, 0]), Err(LatticeError::Value { what: "mask", at: 2, .. })));
    let query = ask(&[1; 4]).unwrap();
    let mut answer = |weights: &[i32], query: &[u8]| server.answer(&plan, weights, query, &mut rng);
    assert!(matches!(answer(&[0; 7], &query), Err(LatticeError::Length { what: "weights", .. })));
    assert!(matches!(
        answer(&[0, -8, 0, 0, 0, 0, 0, 0], &query),
        Err(LatticeError::Value { at: 1, value: -8, .. })
    ));
    let mut damaged = query.clone();
    damaged[32..].fill(0xff);
    assert!(matches!(answer(&[0; 8], &damaged), Err(LatticeError::Residue { what: "the query", at: 0, .. })));
    let switched =
        Plan::new(&params.with_switch(Some(Switch::OFFERED[0])), &Linear::dense(4, 2, 0), 1).unwrap();
    assert_eq!(client.read(&switched, &[]), Err(LatticeError::Params));
    let other = Plan::new(&Params::new(18, 7, 81).unwrap(), &Linear::dense(4, 2, 0), 1).unwrap();
    assert_eq!(client.read(&other, &[]), Err(LatticeError::Params));
    assert!(!format!("{client:?}").contains("key"));
}

#[test]
fn switching_keys_that_are_malformed_are_refused() {
    let mut rng = StdRng::seed_from_u64(5);
    let params = Params::new(18, 7, 80).unwrap().with_switch(Some(Switch::OFFERED[1]));
    let key = Client::new(params, &mut rng).public_key(&mut rng);
    assert_eq!(key.len(), params.key_bytes());
    assert!(Server::new(params, &key).is_ok());
    let refused = |key: &[u8]| Server::new(params, key).err();
    let length = |found| LatticeError::Length { what: "the public key", found, expected: key.len() };
    assert_eq!(refused(&key[..key.len() - 1]), Some(length(key.len() - 1)));
    assert_eq!(refused(&key[..params.public_key_bytes()]), Some(length(params.public_key_bytes())));
    assert_eq!(refused(&[&key[..], &[0]].concat()), Some(length(key.len() + 1)));
    let mut damaged = key.clone();
    damaged[params.public_key_bytes() + 32..][..7].fill(0xff);
    let what = "the switching key";
    assert!(matches!(refused(&damaged), Some(LatticeError::Residue { what: w, at: 0, .. }) if w == what));
    let plain = params.with_switch(None);
    assert!(matches!(Server::new(plain, &key), Err(LatticeError::Length { what: "the public key", .. })));
}

/// Bytes and one thread's time on both sides. `cargo test --release lattice::tests::cost -- --ignored --nocapture`.
#[test]
#[ignore = "measures; asserts nothing that another test does not"]
fn cost_of_the_usual_layers_is_printed() {
    let cases = [
        ("dense 784x128", Linear::dense(784, 128, 0)),
        ("dense 128x128", Linear::dense(128, 128, 0)),
        ("dense 128x10", Linear::dense(128, 10, 0)),
        ("conv 1>16 5x5 on 28x28", plain(1, 16, 28, 5)),
        ("conv 16>16 5x5 on 12x12", plain(16, 16, 12, 5)),
        ("dense 256x100", Linear::dense(256, 100, 0)),
        ("dense 100x10", Linear::dense(100, 10, 0)),
    ];
    for (name, linear) in cases {
        for (batch, bits) in [(1, 18), (1, 20), (16, 20), (128, 20), (1, 26)] {
            let time = |start: cpu_time::ThreadTime| start.elapsed().as_secs_f64() * 1e3;
            let mut rng = StdRng::seed_from_u64(1);
            let start = cpu_time::ThreadTime::now();
            let params = Params::cheapest(bits, 127, &[(linear, batch)]).unwrap();
            let plan = Plan::new(&params, &linear, batch).unwrap();
            let planned = time(start);
            let start = cpu_time::ThreadTime::now();
            let client = Client::new(params, &mut rng);
            let key = client.public_key(&mut rng);
            let keyed = time(start);
            let server = Server::new(params, &key).unwrap();
            let (masks, weights) = (draw_masks(&plan, &mut rng), draw_weights(&plan, &mut rng));
            let start = cpu_time::ThreadTime::now();
            let query = client.ask(&plan, &masks, &mut rng).unwrap();
            let asked = time(start);
            let start = cpu_time::ThreadTime::now();
            let answer = server.answer(&plan, &weights, &query, &mut rng).unwrap();
            let answered = time(start);
            let start = cpu_time::ThreadTime::now();
            client.read(&plan, &answer.bytes).unwrap();
            let read = time(start);
            println!(
                "{name:24} batch {batch:3} k {bits} log Q {:3} up {:2} ({:8} B) down {:3} ({:8} B) = {:7.1} kB, key {} B, {:4} products, \
                 {:.1} bits; ms: plan {planned:.1}, key {keyed:.1}, ask {asked:.2}, answer {answered:.2}, read {read:.2}",
                params.modulus_bits(),
                plan.queries(),
                query.len(),
                plan.answers(),
                answer.bytes.len(),
                (query.len() + answer.bytes.len()) as f64 / 1e3,
                key.len(),
                plan.products(),
                plan.hiding_bits(),
            );
        }
    }
}
