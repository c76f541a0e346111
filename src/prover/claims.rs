//! The prover's side of merging all weight claims ([`serin_verifier::layer::claims`]), in two passes over the weights.
//!
//! The sum Σ w(x)·E(x) has one term per entry, but E is structured: on row i and column j of the commitment's matrix M it is
//! Σ_l α_l(i)·b_l(j), l running over the tensors (those smaller than a row sharing one l per row). Binding columns first,
//! every round polynomial is Σ_l Σ_j b_l(j)·u_l(j) with u_l = Σ_i α_l(i)·M_i, one pass of the integer kernel, and tables as
//! long as a row. Once the columns are bound at z, the rest is Σ_i (Σ_l α_l(i)·b_l(z))·M̃(i, z), a second pass and tables as
//! long as a column. Nothing of the size of the weights is ever held in the challenge field.

use serin_circuits::field::{self, Ext};
use serin_circuits::poly::{dot_rows, eq_table, eq_table_scaled, fold_rows};
use serin_verifier::commit::Shape;
use serin_verifier::layer::claims::Claim;
use serin_verifier::sumcheck::{Rounds, Tables};

use super::commit::Commitment;
use super::kernels::table::{Table, bind, round};

/// Claims whose tensors fill whole rows, or one row that holds small tensors.
struct Group {
    first_row: usize,
    /// α over the group's rows.
    alpha: Vec<Ext>,
    u: Table,
    b: Table,
}

/// The merged sum, columns first.
pub(super) struct Merged<'a> {
    commitment: &'a Commitment,
    groups: Vec<Group>,
    /// Columns bound so far.
    point: Vec<Ext>,
    rows: Option<Tables>,
}

impl<'a> Merged<'a> {
    pub(super) fn new(commitment: &'a Commitment, claims: &[Claim], weights: &[Ext]) -> Self {
        let shape = commitment.shape();
        let mut groups = Vec::new();
        let mut small: Vec<(usize, Table)> = Vec::new();
        for (claim, weight) in claims.iter().zip(weights) {
            let first_row = claim.offset >> shape.column_bits();
            if let Some(row_bits) = claim.point.len().checked_sub(shape.column_bits()) {
                let (high, low) = claim.point.split_at(row_bits);
                groups.push(Group::of_rows(commitment, first_row, eq_table_scaled(high, *weight), low));
                continue;
            }
            if small.last().is_none_or(|(row, _)| *row != first_row) {
                small.push((first_row, Table::zeros(shape.columns())));
            }
            if let Some((_, b)) = small.last_mut() {
                b.write_eq(claim.offset % shape.columns(), &claim.point, *weight);
            }
        }
        groups.extend(small.into_iter().map(|(row, b)| Group::of_one_row(commitment, row, b)));
        let mut merged = Self { commitment, groups, point: Vec::new(), rows: None };
        merged.turn_to_rows(shape);
        merged
    }

    /// Once all columns are bound, what is left is a sum over rows.
    fn turn_to_rows(&mut self, shape: Shape) {
        if self.point.len() < shape.column_bits() {
            return;
        }
        let mut selectors = vec![Ext::default(); 1 << shape.row_bits()];
        for group in &self.groups {
            let b = group.b.first();
            let rows = selectors.iter_mut().skip(group.first_row).zip(&group.alpha);
            rows.for_each(|(selector, alpha)| *selector += b * alpha);
        }
        let Commitment { vector, magnitude, .. } = self.commitment;
        let mut values = dot_rows(vector, &eq_table(&self.point), *magnitude);
        values.resize(selectors.len(), Ext::default());
        self.rows = Some(Tables::new(values, selectors));
    }
}

impl Group {
    fn of_rows(commitment: &Commitment, first_row: usize, alpha: Vec<Ext>, low: &[Ext]) -> Self {
        let columns = commitment.shape().columns();
        let rows = &commitment.vector[first_row * columns..];
        let u = fold_rows(&alpha, rows, columns, commitment.magnitude);
        let mut b = Table::zeros(columns);
        b.write_eq(0, low, Ext::from(1u64));
        Self { first_row, alpha, u: u.into_iter().collect(), b }
    }

    fn of_one_row(commitment: &Commitment, row: usize, b: Table) -> Self {
        let columns = commitment.shape().columns();
        let entries = &commitment.vector[row * columns..][..columns];
        let u = entries.iter().map(|v| field::lift(field::from_i64(i64::from(*v)))).collect();
        Self { first_row: row, alpha: vec![Ext::from(1u64)], u, b }
    }
}

impl Rounds for Merged<'_> {
    fn round(&mut self) -> [Ext; 2] {
        if let Some(rows) = &mut self.rows {
            return rows.round();
        }
        let mut g = [Ext::default(); 2];
        for group in &self.groups {
            let [at_zero, lead] = round(&group.u, &group.b);
            g[0] += at_zero;
            g[1] += lead;
        }
        g
    }

    fn bind(&mut self, r: Ext) {
        if let Some(rows) = &mut self.rows {
            return rows.bind(r);
        }
        for group in &mut self.groups {
            bind(&mut group.u, r);
            bind(&mut group.b, r);
        }
        self.point.push(r);
        self.turn_to_rows(self.commitment.shape());
    }
}
