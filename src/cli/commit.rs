//! `serin commit`: the card that clients pin.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;
use serin_verifier::card::Card;
use serin_verifier::limits::MAX_SERVER_NAME;
use serin_verifier::proof::Mode;

use super::Verdict;
use super::accuracy::Accuracy;
use super::console::{Console, warn};
use super::{data, file};
use crate::protocol::{Kind, Offer};
use crate::prover::Model;

/// Make the card that clients pin: graph digest, weight commitment, input range, claimed accuracy
///
/// Publish the card where clients trust it, not over the connection it is to check. Without --output it goes to standard output.
#[derive(Args, Debug)]
pub(super) struct Commit {
    /// The model file
    model: PathBuf,
    /// The server's name, bound into every proof
    #[arg(long, value_name = "NAME", value_parser = server_name)]
    server: String,
    /// The accuracy claimed, as 0.98: canaries are held against it
    #[arg(long)]
    accuracy: Option<Accuracy>,
    /// Where to write the card
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite what is there
    #[arg(long)]
    force: bool,
}

impl Commit {
    /// Commits.
    pub(super) fn run(self, console: &Console) -> Result<Verdict> {
        if let Some(path) = &self.output {
            file::check(path, self.force)?;
        }
        let (graph, weights) = data::model(&self.model)?;
        let bar = console.doing("committing to the weights");
        let model = Model::new(graph, weights);
        bar.finish_and_clear();
        if let Err(declined) = Offer::of(model.graph()).check(Kind::Proved(Mode::Succinct), 1, model.graph())
        {
            warn(declined);
        }
        let reading = data::reading_digest(&self.model, model.graph().input())?;
        let card = Card::new(&self.server, model.graph(), *model.root(), self.accuracy.map(Accuracy::value))
            .with_reading(reading);
        let json = serde_json::to_string_pretty(&card).context("the card has no JSON form")?;
        let Some(path) = &self.output else {
            console.result(&card, |_| json)?;
            return Ok(Verdict::Accepted);
        };
        file::write(path, format!("{json}\n").as_bytes(), self.force)?;
        console.result(&card, |card| {
            let (graph, weights) = (hex::encode(card.graph), hex::encode(card.weights));
            let reading = card.reading.map(|digest| format!("\nreading {}", hex::encode(digest)));
            let reading = reading.unwrap_or_default();
            format!("wrote {}\ngraph   {graph}\nweights {weights}{reading}", path.display())
        })?;
        Ok(Verdict::Accepted)
    }
}

/// A name that fits a card.
fn server_name(text: &str) -> Result<String> {
    ensure!((1..=MAX_SERVER_NAME).contains(&text.len()), "a name has 1 to {MAX_SERVER_NAME} bytes");
    Ok(text.to_owned())
}
