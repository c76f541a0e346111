//! A campaign: canaries and nothing else, in batches, each recorded. Then the audit of what was recorded.
//!
//! The number of canaries is fixed when the campaign begins, and they are tested once, together. A server can tell that a batch holds
//! no query of anybody's, if it can tell at all: a campaign finds out what a model is worth, not whether single users are cheated.

use serin_verifier::canary::judge::Criteria;

use super::{Audit, AuditError, Looks, audit};
use crate::protocol::Protocol;
use crate::session::record::Recorder;
use crate::session::{Canaries, Questions, Session, SessionError, Stage};

/// Canaries to ask, and how.
#[derive(Clone, Debug)]
pub struct Campaign<'a> {
    /// Whom.
    pub session: &'a Session,
    /// The canaries.
    pub canaries: Canaries,
    /// On what terms to judge.
    pub criteria: Criteria,
    /// The most canaries in one batch, at least 1.
    pub batch: usize,
}

/// A campaign that came to no end. What was answered before is in the record.
#[derive(Debug, thiserror::Error)]
pub enum CampaignError {
    /// A batch has no outcome.
    #[error("batch {batch}: {error}")]
    Session {
        /// Which batch, from 0.
        batch: u64,
        /// Why.
        error: SessionError,
    },
    /// What was recorded cannot be audited.
    #[error(transparent)]
    Audit(#[from] AuditError),
}

impl Campaign<'_> {
    /// Asks all canaries, records every batch, and audits them together. `progress` is told how many canaries are done before each
    /// stage of a batch.
    ///
    /// # Errors
    /// [`CampaignError`].
    pub fn run(
        &self,
        protocol: &mut dyn Protocol,
        recorder: &mut Recorder,
        progress: &mut dyn FnMut(usize, Stage),
    ) -> Result<Audit, CampaignError> {
        let total = self.canaries.inputs.batch();
        let mut entries = Vec::new();
        for (number, start) in (0..).zip((0..total).step_by(self.batch.max(1))) {
            let end = total.min(start + self.batch.max(1));
            let wrap = |error| CampaignError::Session { batch: number, error };
            let questions = self.questions(start, end).map_err(wrap)?;
            let step = &mut |stage| progress(start, stage);
            let outcome = self.session.run(protocol, &questions, recorder, step).map_err(wrap)?;
            entries.push(outcome.entry);
        }
        Ok(audit(&entries, Looks::Once)?)
    }

    fn questions(&self, start: usize, end: usize) -> Result<Questions, SessionError> {
        let Canaries { inputs, truths } = &self.canaries;
        let positions: Vec<_> = (start..end).collect();
        let (Some(inputs), Some(truths)) = (inputs.select(&positions), truths.get(start..end)) else {
            let fault = format!("{} truths are known of {}", truths.len(), inputs.batch());
            return Err(SessionError::Questions { what: "canaries", fault });
        };
        let queries = self.session.no_canaries().inputs;
        let canaries = Canaries { inputs, truths: truths.to_vec() };
        Ok(Questions { queries, copies: 1, canaries, criteria: self.criteria })
    }
}
