//! Every kind of transfer between two honest ends, both ways over one link, and what each kind of cheat comes to.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::wire::{FLIPS, MASKED};
use super::*;
use crate::net::Channel;
use crate::protocol::private::bits::low;
use crate::protocol::private::test_kit::{Altered, both};
use proptest::prelude::*;

/// Both ends set up, then each does its part.
fn converse<A: Send, B: Send>(
    send: impl FnOnce(&mut Sender, &mut dyn Channel) -> A + Send,
    receive: impl FnOnce(&mut Receiver, &mut dyn Channel) -> B + Send,
) -> (A, B) {
    converse_over(Supply::Extended, send, receive)
}

fn converse_over<A: Send, B: Send>(
    supply: Supply,
    send: impl FnOnce(&mut Sender, &mut dyn Channel) -> A + Send,
    receive: impl FnOnce(&mut Receiver, &mut dyn Channel) -> B + Send,
) -> (A, B) {
    both(
        |channel| send(&mut Sender::setup(channel, supply).unwrap(), channel),
        |channel| receive(&mut Receiver::setup(channel, supply).unwrap(), channel),
    )
}

fn bits_of(seed: u64, count: usize) -> Vec<bool> {
    (0..count as u64).map(|i| (seed ^ i).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 1).collect()
}

fn words(seed: u64, count: usize) -> Vec<u64> {
    (0..count as u64).map(|i| (seed ^ i << 20).wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect()
}

#[test]
fn random_transfers_agree_where_chosen_and_nowhere_else() {
    let (pairs, drawn) = converse(
        |s, channel| s.random(channel, 3000).unwrap(),
        |r, channel| r.random(channel, 3000).unwrap(),
    );
    for ((pair, choice), block) in pairs.iter().zip(&drawn.choices).zip(&drawn.blocks) {
        assert_eq!(pair[usize::from(*choice)], *block);
        assert_ne!(pair[usize::from(!choice)], *block);
    }
    let ones = drawn.choices.iter().filter(|choice| **choice).count();
    assert!(ones.abs_diff(1500) < 300, "{ones} of 3000");
}

#[test]
fn blocks_arrive_as_chosen_in_batches_of_any_size() {
    let sizes = [0, 1, 127, 128, 1000];
    let offers: Vec<Vec<[u128; 2]>> =
        sizes.map(|n| (0..n).map(|i| [i as u128, u128::MAX - i as u128]).collect()).into();
    let choices = sizes.map(|n| bits_of(3, n));
    let (_, got) = converse(
        |s, channel| offers.iter().for_each(|offer| s.send_blocks(channel, offer).unwrap()),
        |r, channel| choices.each_ref().map(|choices| r.receive_blocks(channel, choices).unwrap()),
    );
    for ((offer, choices), got) in offers.iter().zip(&choices).zip(&got) {
        let wanted: Vec<u128> = offer.iter().zip(choices).map(|(pair, b)| pair[usize::from(*b)]).collect();
        assert_eq!(*got, wanted);
    }
}

#[test]
fn either_end_may_send_over_one_link() {
    let one_side = |channel: &mut dyn Channel, first: bool| {
        let (mut sender, mut receiver);
        if first {
            sender = Sender::setup(channel, Supply::Extended).unwrap();
            receiver = Receiver::setup(channel, Supply::Extended).unwrap();
            sender.send_chosen(channel, 5, &[[1, 2], [3, 4]]).unwrap();
            receiver.receive_chosen(channel, 9, &[true]).unwrap()
        } else {
            receiver = Receiver::setup(channel, Supply::Extended).unwrap();
            sender = Sender::setup(channel, Supply::Extended).unwrap();
            let got = receiver.receive_chosen(channel, 5, &[false, true]).unwrap();
            sender.send_chosen(channel, 9, &[[7, 300]]).unwrap();
            got
        }
    };
    assert_eq!(both(|c| one_side(c, true), |c| one_side(c, false)), (vec![300], vec![1, 4]));
}

#[test]
fn bytes_that_cross_are_those_the_shape_says() {
    let (n, shape) = (4096, Shape::new(4, 4).unwrap());
    let ((before, after), _) = converse(
        |s, channel| {
            s.random(channel, 1).unwrap();
            let before = channel.meter();
            s.send_one_of(channel, shape, &words(1, n * 16)).unwrap();
            (before, channel.meter())
        },
        |r, channel| {
            r.random(channel, 1).unwrap();
            r.receive_one_of(channel, shape, &vec![3; n]).unwrap();
        },
    );
    let header = crate::net::HEADER_BYTES as u64;
    // 128 blocks were drawn for the one random transfer, so 127 are left of them.
    let height = (4 * n - 127usize).div_ceil(128) + 1;
    let (columns, check) = (127 * height as u64 * 16, 128 * 16);
    assert_eq!(after.sent - before.sent, shape.bytes_down(n) as u64 + 16 + 2 * header);
    assert_eq!(after.received - before.received, shape.bytes_up(n) as u64 + columns + check + 3 * header);
}

/// The codes at their real size, past the end of the first batch.
#[test]
fn silent_supply_serves_as_the_extension_does() {
    let (many, n) = (3_987_000, 1000);
    let (offers, choices) = (words(4, 2 * n), bits_of(9, n));
    let ((pairs, sent), (drawn, got)) = converse_over(
        Supply::Silent,
        |s, channel| {
            let pairs = s.random(channel, many).unwrap();
            s.send_chosen(channel, 64, offers.as_chunks().0).unwrap();
            (pairs, channel.meter().sent)
        },
        |r, channel| (r.random(channel, many).unwrap(), r.receive_chosen(channel, 64, &choices).unwrap()),
    );
    let agree = pairs.iter().zip(&drawn.choices).zip(&drawn.blocks);
    assert!(agree.into_iter().all(|((pair, b), block)| pair[usize::from(*b)] == *block));
    let wanted: Vec<u64> = offers
        .as_chunks()
        .0
        .iter()
        .zip(&choices)
        .map(|([zero, one], b)| if *b { *one } else { *zero })
        .collect();
    assert_eq!(got, wanted);
    assert!(sent < 2_000_000, "{sent} bytes for eight million");
}

#[test]
fn choice_beyond_the_messages_and_missing_messages_are_misuse_and_spend_nothing() {
    let shape = Shape::new(2, 8).unwrap();
    let (_, got) = converse(
        |s, channel| {
            let error = s.send_one_of(channel, shape, &[1, 2, 3]).unwrap_err();
            assert!(matches!(error, OtError::Misuse(_)), "{error}");
            s.send_one_of(channel, shape, &[1, 2, 3, 4]).unwrap();
        },
        |r, channel| {
            let error = r.receive_one_of(channel, shape, &[4]).unwrap_err();
            assert!(matches!(error, OtError::Misuse(_)), "{error}");
            r.receive_one_of(channel, shape, &[3]).unwrap()
        },
    );
    assert_eq!(got, [4]);
}

#[test]
fn truncated_messages_name_their_sender_and_spend_the_instance() {
    let ((first, second), _) = converse(
        |s, channel| {
            let mut call = || s.send_chosen(channel, 8, &[[1, 2]; 20]).unwrap_err();
            (call(), call())
        },
        |r, channel| {
            let mut short = Altered::new(channel, FLIPS.step, |body| body.truncate(2));
            r.receive_chosen(&mut short, 8, &[true; 20]).is_err()
        },
    );
    let flips = Fault::Length { message: FLIPS.name, got: 2, want: 3 };
    assert!(matches!(first, OtError::Peer { role: Role::Receiver, fault } if fault == flips), "{first}");
    assert!(matches!(second, OtError::Spent), "{second}");
    let (_, error) = converse(
        |s, channel| {
            let mut short = Altered::new(channel, MASKED.step, |body| body.truncate(39));
            s.send_chosen(&mut short, 8, &[[1, 2]; 20]).is_ok()
        },
        |r, channel| r.receive_chosen(channel, 8, &[true; 20]).unwrap_err(),
    );
    let masked = Fault::Length { message: MASKED.name, got: 39, want: 40 };
    assert!(matches!(error, OtError::Peer { role: Role::Sender, fault } if fault == masked), "{error}");
}

#[test]
fn oversize_message_is_refused_unread() {
    let (_, error) = converse(
        |s, channel| {
            let mut long = Altered::new(channel, MASKED.step, |body| body.push(0));
            s.send_chosen(&mut long, 8, &[[1, 2]; 20]).is_ok()
        },
        |r, channel| r.receive_chosen(channel, 8, &[true; 20]).unwrap_err(),
    );
    assert!(matches!(error, OtError::Net(crate::net::NetError::Oversize { cap: 40, .. })), "{error}");
}

#[test]
fn debug_shows_no_secret() {
    let (sent, received) = converse(
        |s, channel| {
            s.random(channel, 5).unwrap();
            format!("{s:?}")
        },
        |r, channel| {
            let drawn = r.random(channel, 5).unwrap();
            format!("{r:?} {drawn:?}")
        },
    );
    assert!(sent.contains("123 unused, 5 used") && sent.len() < 120, "{sent}");
    assert!(received.contains("contents hidden") && received.len() < 160, "{received}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn numbers_arrive_as_chosen(n in 0..400usize, arity in 1..=8u32, width in 1..=64u32, seed: u64) {
        let shape = Shape::new(arity, width).unwrap();
        let offers = words(seed, n * shape.messages());
        let choices: Vec<u8> = words(seed ^ 1, n).iter().map(|w| (w >> 40) as u8 & ((1u16 << arity) - 1) as u8).collect();
        let (_, got) = converse(
            |s, channel| s.send_one_of(channel, shape, &offers).unwrap(),
            |r, channel| r.receive_one_of(channel, shape, &choices).unwrap(),
        );
        let wanted: Vec<u64> = offers.chunks(shape.messages()).zip(&choices)
            .map(|(offer, choice)| offer[usize::from(*choice)] & low(width)).collect();
        prop_assert_eq!(got, wanted);
    }

    #[test]
    fn correlations_add_up_modulo_the_ring(n in 0..600usize, width in 1..=64u32, seed: u64) {
        let (correlations, choices) = (words(seed, n), bits_of(seed, n));
        let (kept, got) = converse(
            |s, channel| s.correlate(channel, width, &correlations).unwrap(),
            |r, channel| r.correlate(channel, width, &choices).unwrap(),
        );
        for (((r, sum), a), b) in kept.iter().zip(&got).zip(&correlations).zip(&choices) {
            prop_assert_eq!(r.wrapping_add(a * u64::from(*b)) & low(width), *sum);
        }
    }
}
