//! What the tests of the private protocol's parts share: two parties over a link in memory, and a channel that alters one message.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::net::{Channel, Meter, NetError, Step, Timeouts, memory};

/// Runs both sides, each on its own thread.
pub(super) fn both<A: Send, B: Send>(
    left: impl FnOnce(&mut dyn Channel) -> A + Send,
    right: impl FnOnce(&mut dyn Channel) -> B + Send,
) -> (A, B) {
    let wait = Duration::from_secs(120);
    let (mut ours, mut theirs) = memory::pair(Timeouts { connect: wait, idle: wait, frame: wait });
    std::thread::scope(|scope| {
        let left = scope.spawn(move || left(&mut ours));
        let right = right(&mut theirs);
        drop(theirs);
        (left.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), right)
    })
}

/// A channel whose owner sends one kind of message altered: a cheat at exactly that step.
pub(super) struct Altered<'a, F> {
    inner: &'a mut dyn Channel,
    step: Step,
    alter: F,
}

impl<'a, F: FnMut(&mut Vec<u8>) + Send> Altered<'a, F> {
    pub(super) fn new(inner: &'a mut dyn Channel, step: Step, alter: F) -> Self {
        Self { inner, step, alter }
    }
}

impl<F: FnMut(&mut Vec<u8>) + Send> Channel for Altered<'_, F> {
    fn send(&mut self, step: Step, body: &[u8]) -> Result<(), NetError> {
        let mut body = body.to_vec();
        if step == self.step {
            (self.alter)(&mut body);
        }
        self.inner.send(step, &body)
    }

    fn receive_one_of(&mut self, wanted: &[(Step, usize)]) -> Result<(Step, Vec<u8>), NetError> {
        self.inner.receive_one_of(wanted)
    }

    fn meter(&self) -> Meter {
        self.inner.meter()
    }

    fn meter_by_step(&self) -> BTreeMap<Step, Meter> {
        self.inner.meter_by_step()
    }
}
