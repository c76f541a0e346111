//! Audits: what many batches together say about one model.
//!
//! [`audit`] sees only a record's entries, judges each as a session would, and pools what their canaries say. [`Campaign`] makes such
//! entries: canaries alone, in batches, over any protocol.
//!
//! An audit is *rejected* if any proof is, if copies disagree anywhere, if a reference canary differs, or if the labelled canaries fail:
//! all of them together in one test where their number was fixed beforehand ([`Looks::Once`]), by the anytime-valid ledger where one
//! looks as often as one likes ([`Looks::Often`]). A single batch's test of labelled canaries does not reject an audit: repeated over
//! batches it would alarm falsely far more often than α.
//!
//! *Caller must still check*: that the card of the entries is the one pinned, and that canaries are fresh; those asked more than
//! once are counted ([`Audit::repeated`]), and their outcomes are not independent.

mod campaign;
mod text;

pub use campaign::{Campaign, CampaignError};

use std::collections::BTreeSet;

use serde::Serialize;
use serin_verifier::canary::judge::{Assessment, Criteria, Reason, Verdict as CanaryVerdict};
use serin_verifier::canary::ledger::{Ledger, Standing};
use serin_verifier::canary::{CanaryError, Rate, Tally};
use serin_verifier::record::{Costs, Entry};
use serin_verifier::report::{Proof, Report, Unjudged, Verdict, judge};

/// How often the canaries of a record are tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Looks {
    /// Once, at a number of canaries that was fixed beforehand.
    Once,
    /// As often as one likes, while the record grows.
    Often,
}

/// What a record's batches together say.
#[derive(Clone, Debug, Serialize)]
pub struct Audit {
    /// Whether to believe the server.
    pub verdict: Verdict,
    /// Whose batches these are.
    pub server: String,
    /// How many.
    pub batches: u64,
    /// Batches whose proof was accepted.
    pub proved: u64,
    /// What is wrong in which batch, from 0; empty if nothing is.
    pub faults: Vec<Found>,
    /// Labelled canaries against the claim.
    pub labelled: Assessment,
    /// Reference canaries against a rate of 0.
    pub reference: Assessment,
    /// Canaries that had been asked before, in this record.
    pub repeated: u64,
    /// Queries, copies not counted.
    pub queries: u64,
    /// The terms: those of the first batch.
    pub criteria: Criteria,
    /// The accuracy that the card claims.
    pub claimed_accuracy: Option<f64>,
    /// How often the labelled canaries are tested.
    pub looks: Looks,
    /// The ledger of labelled canaries after the last batch.
    pub ledger: LedgerReport,
    /// What all of it cost.
    pub costs: Costs,
}

/// Something wrong in one batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Which batch, from 0.
    pub batch: u64,
    /// What.
    pub fault: String,
}

/// Where a ledger stands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LedgerReport {
    /// Whether the claim still stands.
    pub standing: Standing,
    /// ln W: the evidence against the claim.
    pub ln_wealth: f64,
    /// ln 1/α: where the claim fails.
    pub ln_limit: f64,
}

/// A record that cannot be audited.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum AuditError {
    /// There is nothing in it.
    #[error("the record holds no batch; there is nothing to audit")]
    Empty,
    /// Its batches are not of one claim.
    #[error("batch {batch} is under another card than the first; audit the records of one card at a time")]
    Card {
        /// Which batch, from 0.
        batch: u64,
    },
    /// A batch could not be judged.
    #[error("batch {batch}: {error}")]
    Unjudged {
        /// Which batch, from 0.
        batch: u64,
        /// Why.
        error: Unjudged,
    },
    /// More canaries than the statistics cover.
    #[error(transparent)]
    Canaries(#[from] CanaryError),
}

/// Audits the entries of a record.
///
/// # Errors
/// [`AuditError`].
pub fn audit(entries: &[Entry], looks: Looks) -> Result<Audit, AuditError> {
    let first = entries.first().ok_or(AuditError::Empty)?;
    let criteria = first.criteria;
    let mut pool = Pool::new(&criteria);
    for (batch, entry) in (0..).zip(entries) {
        if entry.card != first.card {
            return Err(AuditError::Card { batch });
        }
        let report = judge(entry).map_err(|error| AuditError::Unjudged { batch, error })?;
        pool.enter(batch, entry, &report)?;
    }
    let Criteria { claimed_error, alpha, beta, .. } = criteria;
    let labelled = Assessment::of(pool.labelled, claimed_error, alpha, beta);
    let reference = Assessment::of(pool.reference, Rate::ZERO, alpha, beta);
    let ledger = LedgerReport {
        standing: pool.ledger.standing(),
        ln_wealth: pool.ledger.ln_wealth(),
        ln_limit: -alpha.value().ln(),
    };
    let fails = match looks {
        Looks::Once => labelled.fails(),
        Looks::Often => ledger.standing == Standing::Failed,
    };
    let met = |least: Option<f64>, assured: f64| least.is_none_or(|least| assured >= least);
    let assured = met(criteria.least_accuracy, labelled.assured())
        && met(criteria.least_agreement, reference.assured());
    let checked = labelled.tally.asked() + reference.tally.asked() > 0 || pool.proved == entries.len() as u64;
    let verdict = match (fails || !pool.faults.is_empty(), assured && checked) {
        (true, _) => Verdict::Rejected,
        (false, true) => Verdict::Accepted,
        (false, false) => Verdict::Inconclusive,
    };
    Ok(Audit {
        verdict,
        server: first.card.server.clone(),
        batches: entries.len() as u64,
        proved: pool.proved,
        faults: pool.faults,
        labelled,
        reference,
        repeated: pool.repeated,
        queries: pool.queries,
        criteria,
        claimed_accuracy: first.card.accuracy,
        looks,
        ledger,
        costs: pool.costs,
    })
}

/// What is added up batch by batch.
struct Pool {
    proved: u64,
    faults: Vec<Found>,
    labelled: Tally,
    reference: Tally,
    seen: BTreeSet<Vec<i32>>,
    repeated: u64,
    queries: u64,
    ledger: Ledger,
    costs: Costs,
}

impl Pool {
    fn new(criteria: &Criteria) -> Self {
        Self {
            proved: 0,
            faults: Vec::new(),
            labelled: Tally::default(),
            reference: Tally::default(),
            seen: BTreeSet::new(),
            repeated: 0,
            queries: 0,
            ledger: Ledger::open(criteria.claimed_error, criteria.alpha),
            costs: Costs::default(),
        }
    }

    fn enter(&mut self, batch: u64, entry: &Entry, report: &Report) -> Result<(), CanaryError> {
        self.faults.extend(faults(report).into_iter().map(|fault| Found { batch, fault }));
        self.proved += u64::from(matches!(report.proof, Proof::Accepted { .. }));
        self.queries += report.asked.queries;
        let session = report.canaries.labelled.tally;
        self.labelled = sum(self.labelled, session)?;
        self.reference = sum(self.reference, report.canaries.reference.tally)?;
        self.ledger.enter(session)?;
        for n in 0..entry.canaries.batch() {
            self.repeated += u64::from(!self.seen.insert(entry.canaries.sample(n).to_vec()));
        }
        self.costs.sent += report.costs.sent;
        self.costs.received += report.costs.received;
        self.costs.waited += report.costs.waited;
        Ok(())
    }
}

fn sum(a: Tally, b: Tally) -> Result<Tally, CanaryError> {
    Tally::new(a.asked() + b.asked(), a.wrong() + b.wrong())
}

/// What is wrong in one batch whatever the others say.
fn faults(report: &Report) -> Vec<String> {
    let proof = match &report.proof {
        Proof::Rejected(rejection) => Some(format!("the proof is rejected at {rejection}")),
        Proof::None | Proof::Accepted { .. } => None,
    };
    let reasons = match &report.canaries.verdict {
        CanaryVerdict::Rejected { reasons } => &reasons[..],
        CanaryVerdict::Accepted | CanaryVerdict::Inconclusive { .. } => &[],
    };
    let hard = reasons.iter().filter(|reason| matches!(reason, Reason::Copies(_) | Reason::Reference { .. }));
    proof.into_iter().chain(hard.map(Reason::to_string)).collect()
}
