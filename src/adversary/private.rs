//! A corrupt server of private inference: other weights, wrong shares, noise and silence.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serin_circuits::codec::Digest;
use serin_circuits::weights::Weights;

use super::{Cheat, Corrupt, middle};
use crate::net::{Channel, Meter, NetError, Step};
use crate::protocol::private::{Blueprint, Holder, LotId};
use crate::protocol::{Answerer, ServeError, serve_link};

impl Holder for Corrupt {
    fn weights(&self, lot: &LotId) -> &Weights {
        let honest = self.shown().model().weights();
        match (&self.cheat, &self.others) {
            (Cheat::Lots { .. }, Some(others)) if lot[0] & 1 == 1 => others,
            (Cheat::Lots { .. }, _) | (_, None) => honest,
            (_, Some(others)) => others,
        }
    }

    fn settle(&self, lot: &LotId, node: usize, share: &mut [u64]) {
        let graph = self.shown().graph();
        let last = node + 1 == graph.nodes().len();
        let sample = graph.nodes()[node].output.len();
        let middle = graph.linears().nth(middle(graph)).map(|(index, _)| index);
        // What stands above a ring is of no account to whoever reads a share.
        match &self.cheat {
            Cheat::Shares { positions } if last => {
                for position in drawn(lot, *positions, share.len() / sample) {
                    share[position * sample] = share[position * sample].wrapping_add(1);
                }
            }
            Cheat::Logit if last => share[0] = share[0].wrapping_add(1),
            Cheat::Activation { .. } if Some(node) == middle => {
                let range = graph.nodes()[node].output.range;
                share[0] = share[0].wrapping_add(u64::from(range.high.abs_diff(range.low) / 2));
            }
            _ => {}
        }
    }

    fn model(&self) -> Digest {
        Holder::model(self.shown())
    }

    fn blueprint(&self) -> Option<&Arc<Blueprint>> {
        self.shown().blueprint()
    }
}

impl Corrupt {
    /// Holds one conversation, with noise and silence where the cheat says: [`serve_link`] for whoever is not honest.
    ///
    /// # Errors
    /// As [`serve_link`].
    pub fn serve(&self, channel: &mut dyn Channel) -> Result<(), ServeError> {
        serve_link(&mut Disturbed { inner: channel, cheat: &self.cheat, said: 0 }, self)
    }
}

/// So many different positions of a lot, by its name.
fn drawn(lot: &LotId, count: usize, positions: usize) -> Vec<usize> {
    let mut random = StdRng::from_seed(*lot);
    let mut all: Vec<usize> = (0..positions).collect();
    for at in 0..count.min(positions) {
        let other = at + random.next_u64() as usize % (positions - at);
        all.swap(at, other);
    }
    all.truncate(count);
    all
}

/// The server's end of a link whose owner disturbs it.
struct Disturbed<'a> {
    inner: &'a mut dyn Channel,
    cheat: &'a Cheat,
    /// Messages of the step so far.
    said: usize,
}

impl Channel for Disturbed<'_> {
    fn send(&mut self, step: Step, body: &[u8]) -> Result<(), NetError> {
        let (Cheat::Garble { step: at, nth } | Cheat::Hang { step: at, nth }) = self.cheat else {
            return self.inner.send(step, body);
        };
        if *at != step {
            return self.inner.send(step, body);
        }
        self.said += 1;
        match self.cheat {
            _ if self.said != nth + 1 => self.inner.send(step, body),
            Cheat::Hang { .. } => Err(NetError::Ended),
            _ => {
                let mut noise = vec![0; body.len()];
                StdRng::from_seed([5; 32]).fill_bytes(&mut noise);
                // The last byte's fill stays as both ends know it.
                if let (Some(noise), Some(said)) = (noise.last_mut(), body.last()) {
                    *noise = *said;
                }
                self.inner.send(step, &noise)
            }
        }
    }

    fn receive_one_of(&mut self, wanted: &[(Step, usize)]) -> Result<(Step, Vec<u8>), NetError> {
        self.inner.receive_one_of(wanted)
    }

    fn meter(&self) -> Meter {
        self.inner.meter()
    }

    fn meter_by_step(&self) -> std::collections::BTreeMap<Step, Meter> {
        self.inner.meter_by_step()
    }
}
