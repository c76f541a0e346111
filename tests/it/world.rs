//! What the tests share: a model of every op and shape class, and fixed session bytes.

use serin::prover::Model;
pub(crate) use serin::synthetic::{Net, batch, square};
use serin_circuits::graph::Window;

/// A model of every op and shape class, by name.
pub(crate) fn models() -> Vec<(&'static str, Model)> {
    let uneven = Window { kernel: [3, 2], stride: [2, 1], padding: [1, 0, 2, 1] };
    vec![
        ("one dense layer", Net::new(1, &[5]).dense(3).finish()),
        ("one number", Net::new(2, &[1]).dense(1).finish()),
        ("mlp", Net::new(3, &[20]).dense(17).rescale(0).dense(9).rescale(0).dense(4).finish()),
        (
            "conv and max pool",
            Net::new(4, &[1, 9, 9])
                .conv(1, 5, square(3, 1, 1))
                .rescale(0)
                .max_pool(square(2, 2, 0))
                .dense(6)
                .finish(),
        ),
        (
            "uneven windows",
            Net::new(5, &[3, 8, 7])
                .conv(1, 4, uneven)
                .rescale(0)
                .conv(1, 3, uneven)
                .rescale(-128)
                .dense(2)
                .finish(),
        ),
        (
            "depthwise",
            Net::new(6, &[6, 6, 6])
                .conv(6, 1, square(3, 1, 1))
                .rescale(0)
                .conv(1, 4, square(1, 1, 0))
                .rescale(0)
                .dense(3)
                .finish(),
        ),
        (
            "groups of odd size",
            Net::new(7, &[6, 5, 5]).conv(3, 5, square(3, 2, 1)).rescale(0).dense(3).finish(),
        ),
        (
            "average pool",
            Net::new(8, &[2, 6, 6])
                .conv(1, 3, square(3, 1, 0))
                .rescale(-128)
                .average_pool(square(2, 2, 0))
                .rescale(-128)
                .dense(5)
                .finish(),
        ),
        (
            "padded pools",
            Net::new(9, &[2, 5, 5])
                .max_pool(square(3, 2, 1))
                .average_pool(square(2, 1, 1))
                .rescale(-128)
                .dense(4)
                .finish(),
        ),
        (
            "residual",
            Net::new(10, &[4, 6, 6])
                .residual()
                .residual()
                .average_pool(square(6, 6, 0))
                .rescale(0)
                .dense(3)
                .finish(),
        ),
        (
            "joined branches",
            Net::new(13, &[2, 6, 6])
                .concat(
                    0,
                    |net| net.conv(1, 3, square(1, 1, 0)).rescale(0),
                    |net| net.conv(1, 2, square(3, 1, 1)).rescale(-128),
                )
                .max_pool(square(2, 2, 0))
                .dense(3)
                .finish(),
        ),
        (
            "residual with a shortcut of slices and zeros",
            Net::new(14, &[3, 7, 6]).residual_by_half().residual_by_half().dense(3).finish(),
        ),
        ("ends in a rescale", Net::new(11, &[1, 4, 4]).conv(1, 2, square(2, 2, 0)).rescale(-128).finish()),
        ("starts with a pool", Net::new(12, &[1, 6, 6]).max_pool(square(2, 2, 0)).dense(3).finish()),
    ]
}

/// A session's random bytes; tests want them fixed.
pub(crate) const SESSION: [u8; 32] = [7; 32];
