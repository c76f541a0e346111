//! What a cost comes to for one more query: the least-squares line through figures of several batch sizes.

use serde::Serialize;

use super::Batch;

/// cost ≈ `fixed` + `per_query` · batch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Line {
    /// What a batch costs before its first query; may come out below 0 where the figures are not on a line.
    pub fixed: f64,
    /// What each query adds.
    pub per_query: f64,
}

/// The lines of a mode's costs, in the units of [`Batch`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Slope {
    /// Of proving, CPU seconds.
    pub prove_cpu_s: Line,
    /// Of verification, CPU seconds.
    pub verify_cpu_s: Line,
    /// Of the proof, activations included: bytes.
    pub evidence_bytes: Line,
}

/// The lines through these figures; `None` of fewer than two batch sizes.
pub fn slope(figures: &[Batch]) -> Option<Slope> {
    let line = |cost: fn(&Batch) -> f64| {
        let points: Vec<_> = figures.iter().map(|batch| (batch.batch as f64, cost(batch))).collect();
        Line::through(&points)
    };
    Some(Slope {
        prove_cpu_s: line(|batch| batch.prove_cpu_s)?,
        verify_cpu_s: line(|batch| batch.verify_cpu_s)?,
        evidence_bytes: line(|batch| (batch.proof_bytes + batch.activation_bytes) as f64)?,
    })
}

impl Line {
    /// The line of least squares; `None` if all points stand at one batch size.
    fn through(points: &[(f64, f64)]) -> Option<Self> {
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
        let common: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
        let per_query = common / spread;
        (spread > 0.0).then_some(Self { fixed: y - per_query * x, per_query })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_through_points_of_a_line_is_that_line() {
        let points = [1.0, 8.0, 64.0, 512.0].map(|x| (x, 7.0 + 0.25 * x));
        let Line { fixed, per_query } = Line::through(&points).expect("four sizes");
        assert!((fixed - 7.0).abs() < 1e-9 && (per_query - 0.25).abs() < 1e-9);
        // (0, 0), (1, 1), (2, 5): normal equations by hand.
        let Line { fixed, per_query } = Line::through(&[(0.0, 0.0), (1.0, 1.0), (2.0, 5.0)]).expect("three");
        assert!((fixed + 0.5).abs() < 1e-9 && (per_query - 2.5).abs() < 1e-9);
    }

    #[test]
    fn line_through_one_batch_size_is_none() {
        assert_eq!(Line::through(&[]), None);
        assert_eq!(Line::through(&[(64.0, 1.0), (64.0, 2.0)]), None);
    }
}
