//! What oblivious transfers cost, beside another library's: `cargo bench --bench oblivious`.
//!
//! Both ends run in this process, each on one thread of its own, joined in memory. Per transfer: CPU time of sender and
//! receiver, the rate the slower of them allows on a core of its own, and all bytes that crossed, receiver to sender first, frame
//! headers included. Pass a number of transfers to change the size of the runs.

use cpu_time::ThreadTime;
use serin::net::{Channel, Timeouts, memory};
use serin::protocol::private::ot::{Receiver, Sender, Shape, Supply};
use std::time::{Duration, Instant};

/// One end's turn at something to be measured.
type Turn<'a, T> = &'a (dyn Fn(&mut T, &mut dyn Channel) + Sync);

/// Net transfers of one silent iteration.
const ITERATION: usize = (2048 << 11) - 206_976;

struct Cost {
    wall: f64,
    sender: f64,
    receiver: f64,
    up: u64,
    down: u64,
}

/// What one end had spent at some moment.
struct Mark {
    wall: Instant,
    cpu: ThreadTime,
    up: u64,
    down: u64,
}

impl Mark {
    fn now(link: &impl Channel) -> Self {
        let meter = link.meter();
        Self { wall: Instant::now(), cpu: ThreadTime::now(), up: meter.received, down: meter.sent }
    }
}

/// Sets up both ends, has `before` random transfers drawn, then their turns taken; the costs of both parts.
fn measure(supply: Supply, before: usize, send: Turn<Sender>, receive: Turn<Receiver>) -> [Cost; 2] {
    let wait = Duration::from_secs(600);
    let (mut left, mut right) = memory::pair(Timeouts { connect: wait, idle: wait, frame: wait });
    std::thread::scope(|scope| {
        let peer = scope.spawn(move || {
            let start = ThreadTime::now();
            let mut receiver = Receiver::setup(&mut right, supply).expect("an honest sender");
            receiver.random(&mut right, before).expect("an honest sender");
            let (first, start) = (start.elapsed().as_secs_f64(), ThreadTime::now());
            receive(&mut receiver, &mut right);
            [first, start.elapsed().as_secs_f64()]
        });
        let start = Mark::now(&left);
        let mut sender = Sender::setup(&mut left, supply).expect("an honest receiver");
        sender.random(&mut left, before).expect("an honest receiver");
        let middle = Mark::now(&left);
        let first = start.cpu.elapsed().as_secs_f64();
        send(&mut sender, &mut left);
        let (end, second) = (Mark::now(&left), middle.cpu.elapsed().as_secs_f64());
        let [early, late] = peer.join().expect("the receiver ends");
        let cost = |from: &Mark, to: &Mark, sender, receiver| Cost {
            wall: (to.wall - from.wall).as_secs_f64(),
            sender,
            receiver,
            up: to.up - from.up,
            down: to.down - from.down,
        };
        [cost(&start, &middle, first, early), cost(&middle, &end, second, late)]
    })
}

fn row(name: &str, count: usize, cost: &Cost) {
    let n = count as f64;
    println!(
        "{name:<38} {count:>8} {:>7.1} ms wall {:>8.1} + {:>6.1} ns CPU each {:>7.2} M/s {:>7.3} + {:.3} B",
        cost.wall * 1e3,
        cost.sender / n * 1e9,
        cost.receiver / n * 1e9,
        n / cost.sender.max(cost.receiver) / 1e6,
        cost.up as f64 / n,
        cost.down as f64 / n
    );
}

fn main() {
    let asked = std::env::args().skip(1).find_map(|argument| argument.parse().ok());
    let n: usize = asked.unwrap_or(1 << 20);
    let none = measure(Supply::Extended, 0, &|_, _| (), &|_, _| ());
    row("base transfers, set-up", 127, &none[0]);
    for (supply, before, n) in [(Supply::Extended, 128, n), (Supply::Silent, ITERATION, ITERATION)] {
        let [start, random] =
            measure(supply, before, &|s, c| drop(s.random(c, n).expect("honest")), &|r, c| {
                drop(r.random(c, n).expect("honest"))
            });
        row(&format!("{supply:?}: start, with first batch"), before, &start);
        row(&format!("{supply:?}: random"), n, &random);
    }
    let served = |name: &str, count: usize, send: Turn<Sender>, receive: Turn<Receiver>| {
        // What remains of the first iteration serves this run: masks and bytes alone are measured.
        let [_, used] = measure(Supply::Silent, 1, send, receive);
        row(&format!("from a full stock: {name}"), count, &used);
    };
    let offers = vec![[7; 2]; n];
    let choices = vec![true; n];
    served("1 of 2, 8 bits", n, &|s, c| s.send_chosen(c, 8, &offers).expect("honest"), &|r, c| {
        drop(r.receive_chosen(c, 8, &choices).expect("honest"))
    });
    served(
        "correlated modulo 2^32",
        n,
        &|s, c| drop(s.correlate(c, 32, &offers.as_flattened()[..n]).expect("honest")),
        &|r, c| drop(r.correlate(c, 32, &choices).expect("honest")),
    );
    let shape = Shape::new(4, 4).expect("in range");
    let (tables, indices) = (vec![5; 16 * (n / 4)], vec![9; n / 4]);
    served("1 of 16, 4 bits", n / 4, &|s, c| s.send_one_of(c, shape, &tables).expect("honest"), &|r, c| {
        drop(r.receive_one_of(c, shape, &indices).expect("honest"))
    });
    println!(
        "elsewhere (cryprot-ot, both malicious, in memory): 16 M/s at 17 B extended, 10.5 M/s at 0.30 B silent"
    );
}
