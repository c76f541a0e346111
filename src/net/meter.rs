//! What crossed a link: bytes, messages and rounds, in all and by step.
//!
//! Bytes are those of frames, headers included; TLS records and TCP headers are not. A message counts once it was
//! handed to the transport whole, or taken from it whole; a refusal is a message.
//!
//! A **round** is a turn from sending to receiving, seen from one end: a received message opens one exactly if the
//! message before it, among all this end sent and received, was sent. It is charged to the step received. So n
//! questions asked one after another cost the asker n rounds; questions sent in one go and answered in one go cost
//! one; and whoever answers counts only its own turns, n − 1 of them, since its first message in follows none out.
//! Where a message received answers the one sent, its round costs a round trip; where both ends send first and then
//! receive, each counts a round and half a round trip passes.

use super::Step;
use std::collections::BTreeMap;

/// What crossed a link, in all or under one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// Bytes handed to the transport.
    pub sent: u64,
    /// Bytes taken from the transport.
    pub received: u64,
    /// Messages handed to the transport.
    pub messages_sent: u64,
    /// Messages taken from the transport.
    pub messages_received: u64,
    /// Turns from sending to receiving, at this end.
    pub rounds: u64,
}

/// A link's meters. The steps' sum is the total, but for bytes of frames that were never whole or never taken.
#[derive(Debug, Default)]
pub(super) struct Tally {
    total: Meter,
    steps: BTreeMap<Step, Meter>,
    spoke_last: bool,
}

impl Tally {
    pub(super) fn total(&self) -> Meter {
        self.total
    }

    pub(super) fn steps(&self) -> &BTreeMap<Step, Meter> {
        &self.steps
    }

    /// A message of so many bytes went out.
    pub(super) fn said(&mut self, step: Step, bytes: u64) {
        for meter in [&mut self.total, self.steps.entry(step).or_default()] {
            meter.sent += bytes;
            meter.messages_sent += 1;
        }
        self.spoke_last = true;
    }

    /// Bytes came in, of whatever.
    pub(super) fn took(&mut self, bytes: u64) {
        self.total.received += bytes;
    }

    /// A message is whole; its bytes are in the total already.
    pub(super) fn heard(&mut self, step: Step, bytes: u64) {
        let turn = u64::from(std::mem::take(&mut self.spoke_last));
        let meter = self.steps.entry(step).or_default();
        meter.received += bytes;
        for meter in [&mut self.total, meter] {
            meter.messages_received += 1;
            meter.rounds += turn;
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::net::{Channel, HEADER_BYTES, Link, NetError, Timeouts, memory};
    use proptest::prelude::*;

    fn pair() -> (Link, Link) {
        memory::pair(Timeouts::default())
    }

    fn pass(from: &mut Link, to: &mut Link, step: Step, bytes: usize) {
        from.send(step, &vec![0; bytes]).unwrap();
        to.receive(step, bytes).unwrap();
    }

    fn rounds(left: &Link, right: &Link) -> (u64, u64) {
        (left.meter().rounds, right.meter().rounds)
    }

    #[test]
    fn ping_pong_costs_the_asker_a_round_each() {
        let (mut left, mut right) = pair();
        for _ in 0..5 {
            pass(&mut left, &mut right, Step::ASK, 3);
            pass(&mut right, &mut left, Step::ANSWER, 7);
        }
        assert_eq!(rounds(&left, &right), (5, 4));
        let meter = left.meter();
        assert_eq!((meter.messages_sent, meter.messages_received), (5, 5));
    }

    #[test]
    fn batch_of_messages_costs_one_round() {
        let (mut left, mut right) = pair();
        for _ in 0..2 {
            (0..4).for_each(|_| left.send(Step::ASK, b"?").unwrap());
            (0..4).for_each(|_| drop(right.receive(Step::ASK, 1).unwrap()));
            (0..3).for_each(|_| right.send(Step::ANSWER, b"!").unwrap());
            (0..3).for_each(|_| drop(left.receive(Step::ANSWER, 1).unwrap()));
        }
        assert_eq!(rounds(&left, &right), (2, 1));
    }

    #[test]
    fn exchange_at_once_is_a_round_at_both_ends() {
        let (mut left, mut right) = pair();
        left.send(Step::ASK, &[]).unwrap();
        right.send(Step::ASK, &[]).unwrap();
        left.receive(Step::ASK, 0).unwrap();
        right.receive(Step::ASK, 0).unwrap();
        assert_eq!(rounds(&left, &right), (1, 1));
    }

    #[test]
    fn one_way_talk_has_no_round() {
        let (mut left, mut right) = pair();
        (0..6).for_each(|_| pass(&mut left, &mut right, Step::ASK, 1));
        assert_eq!(rounds(&left, &right), (0, 0));
    }

    #[test]
    fn bytes_of_a_message_not_taken_are_in_the_total_alone() {
        let (mut left, mut right) = pair();
        left.send(Step::ANSWER, b"x").unwrap();
        assert!(matches!(right.receive(Step::ASK, 1), Err(NetError::WrongStep { .. })));
        assert_eq!(right.meter().received, HEADER_BYTES as u64);
        assert_eq!(right.meter().messages_received, 0);
        assert!(!right.meter_by_step().contains_key(&Step::ANSWER));
        assert_eq!(right.meter_by_step()[&Step::REFUSAL].messages_sent, 1);
    }

    proptest! {
        #[test]
        fn steps_sum_to_the_total_and_rounds_to_the_turns(
            talk in proptest::collection::vec((any::<bool>(), 0..4_u8, 0..50_usize), 0..40)
        ) {
            let (mut left, mut right) = pair();
            for &(leftwards, step, bytes) in &talk {
                let (from, to) = if leftwards { (&mut right, &mut left) } else { (&mut left, &mut right) };
                pass(from, to, Step::round(step), bytes);
            }
            let turns = talk.windows(2).filter(|pair| !pair[0].0 && pair[1].0).count() as u64;
            prop_assert_eq!(left.meter().rounds, turns);
            for link in [&left, &right] {
                let mut sum = Meter::default();
                for meter in link.meter_by_step().values() {
                    sum.sent += meter.sent;
                    sum.received += meter.received;
                    sum.messages_sent += meter.messages_sent;
                    sum.messages_received += meter.messages_received;
                    sum.rounds += meter.rounds;
                }
                prop_assert_eq!(link.meter(), sum);
            }
            let here = left.meter_by_step();
            for (step, there) in right.meter_by_step() {
                let here = here[&step];
                prop_assert_eq!((here.sent, here.messages_sent), (there.received, there.messages_received));
                prop_assert_eq!((here.received, here.messages_received), (there.sent, there.messages_sent));
            }
        }
    }
}
