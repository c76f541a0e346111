//! What a party of MP-SPDZ says of its run when it ends, on its standard error.
//!
//! ```text
//! CPU time = 7.91471 (overall core time)                    with -v only
//! Time = 8.08369 seconds
//! Time1 = 8.07157 seconds (490.017 MB, 18159 rounds)        a timer of the program: not read
//! Data sent = 490.063 MB in ~18260 rounds (party 0 only)    more may stand in the parentheses
//! Global data sent = 980.127 MB (all parties)
//! ```
//!
//! Preprocessing is included. A MB is 10^6 bytes, printed to six digits. Rounds of several threads are added up.

use std::str::FromStr;

/// One party's report of one run.
#[derive(Debug, PartialEq)]
pub(crate) struct Log {
    /// From start to end.
    pub(crate) wall_s: f64,
    /// CPU time of all threads of this party, if it ran with `-v`.
    pub(crate) cpu_s: Option<f64>,
    /// What all parties sent.
    pub(crate) bytes: f64,
    /// Rounds of this party.
    pub(crate) rounds: u64,
}

/// Why a text is not the log of one run.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum LogError {
    #[error("no line begins with \"{0}\": keep all that a party prints on its standard error until it ends")]
    Missing(&'static str),
    #[error("several lines begin with \"{0}\": keep the log of one party and one run")]
    Repeated(&'static str),
    #[error(
        "\"{0}\" is not how the known versions of MP-SPDZ end a run: adapt benches/peers/mp_spdz.rs to it"
    )]
    Malformed(String),
}

impl FromStr for Log {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        let wall_s = read(text, "Time =", |words| match words {
            [seconds, "seconds", ..] => seconds.parse().ok(),
            _ => None,
        })?;
        let cpu_s = read(text, "CPU time =", |words| words.first()?.parse().ok());
        let cpu_s = match cpu_s {
            Err(LogError::Missing(_)) => None,
            given => Some(given?),
        };
        let rounds = read(text, "Data sent =", |words| match words {
            [_, "MB", "in", rounds, "rounds", "(party", ..] => rounds.strip_prefix('~')?.parse().ok(),
            _ => None,
        })?;
        let bytes = read(text, "Global data sent =", |words| match words {
            [mb, "MB", "(all", "parties)"] => Some(mb.parse::<f64>().ok()? * 1e6),
            _ => None,
        })?;
        Ok(Self { wall_s, cpu_s, bytes, rounds })
    }
}

/// What the one line with this beginning says.
fn read<T>(text: &str, start: &'static str, parse: fn(&[&str]) -> Option<T>) -> Result<T, LogError> {
    let mut found = text.lines().filter_map(|line| Some((line, line.trim_start().strip_prefix(start)?)));
    let (line, rest) = found.next().ok_or(LogError::Missing(start))?;
    if found.next().is_some() {
        return Err(LogError::Repeated(start));
    }
    let words: Vec<&str> = rest.split_whitespace().collect();
    parse(&words).ok_or_else(|| LogError::Malformed(line.trim().to_owned()))
}
