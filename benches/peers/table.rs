//! Rows of figures, one system each, and the table of one network and batch size, with ratios to serin.

use serde::Serialize;

/// What one system takes for one batch. `None` is what nobody said.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) network: String,
    pub(crate) batch: usize,
    pub(crate) system: String,
    /// Whom it holds against.
    pub(crate) against: &'static str,
    pub(crate) source: Source,
    pub(crate) bytes_to_server: Option<f64>,
    pub(crate) bytes_to_client: Option<f64>,
    /// Both ways, without the setup.
    pub(crate) bytes: Option<f64>,
    pub(crate) rounds: Option<u64>,
    pub(crate) messages: Option<u64>,
    pub(crate) wall_s: Option<f64>,
    pub(crate) server_cpu_s: Option<f64>,
    pub(crate) client_cpu_s: Option<f64>,
    /// Sent once for many batches.
    pub(crate) setup_bytes: Option<f64>,
    /// The part of serin's run that follows the question.
    pub(crate) online: Option<Online>,
}

/// Where a row is from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Source {
    /// This run, this machine.
    Measured,
    /// A log that was given.
    Log,
    /// A paper, or a run on another machine.
    Elsewhere,
}

/// What remains to be done once the question is known.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Online {
    pub(crate) rounds: u64,
    pub(crate) wall_s: f64,
    pub(crate) server_cpu_s: f64,
    pub(crate) client_cpu_s: f64,
}

impl Source {
    /// The same in words.
    pub(crate) fn said(self) -> &'static str {
        match self {
            Source::Measured => "measured in this run",
            Source::Log => "read from a log",
            Source::Elsewhere => "published or measured elsewhere",
        }
    }
}

impl Row {
    /// A row about which nothing is known yet.
    pub(crate) fn new(
        network: &str,
        batch: usize,
        system: &str,
        against: &'static str,
        source: Source,
    ) -> Self {
        Self {
            network: network.into(),
            batch,
            system: system.into(),
            against,
            source,
            bytes_to_server: None,
            bytes_to_client: None,
            bytes: None,
            rounds: None,
            messages: None,
            wall_s: None,
            server_cpu_s: None,
            client_cpu_s: None,
            setup_bytes: None,
            online: None,
        }
    }

    /// With what crossed either way, and once before.
    pub(crate) fn with_bytes(self, to_server: u64, to_client: u64, setup: u64) -> Self {
        let [to_server, to_client, setup] = [to_server, to_client, setup].map(|bytes| bytes as f64);
        Self {
            bytes_to_server: Some(to_server),
            bytes_to_client: Some(to_client),
            bytes: Some(to_server + to_client),
            setup_bytes: Some(setup),
            ..self
        }
    }

    fn cpu_s(&self) -> Option<f64> {
        Some(self.server_cpu_s? + self.client_cpu_s?)
    }

    fn print(&self, serin: Option<&Row>) {
        let times = |figure: fn(&Row) -> Option<f64>| {
            let ratio = serin.filter(|serin| serin.system != self.system).and_then(figure);
            cell(ratio.and_then(|ours| Some(figure(self)? / ours)), 2)
        };
        let mb = |bytes: Option<f64>| cell(bytes.map(|bytes| bytes / 1e6), 2);
        let rounds = match (self.rounds, self.messages) {
            (Some(rounds), _) => rounds.to_string(),
            (None, Some(messages)) => format!("{messages} msg"),
            (None, None) => "–".into(),
        };
        print_cells([
            &self.system,
            self.against,
            &mb(self.bytes_to_server),
            &mb(self.bytes_to_client),
            &mb(self.bytes),
            &times(|row| row.bytes),
            &rounds,
            &cell(self.wall_s, 3),
            &times(|row| row.wall_s),
            &cell(self.server_cpu_s, 3),
            &cell(self.client_cpu_s, 3),
            &times(Row::cpu_s),
            &mb(self.setup_bytes),
            self.source.said(),
        ]);
        if let Some(online) = self.online {
            let mut row = [""; 14];
            let cells = [
                online.rounds.to_string(),
                cell(Some(online.wall_s), 3),
                cell(Some(online.server_cpu_s), 3),
                cell(Some(online.client_cpu_s), 3),
            ];
            row[0] = "  of it online";
            for (at, cell) in [6, 7, 9, 10].into_iter().zip(&cells) {
                row[at] = cell;
            }
            print_cells(row);
        }
    }
}

/// Prints the table of each network and batch size, in the order of first appearance.
pub(crate) fn print(rows: &[Row]) {
    let mut tables: Vec<(&str, usize)> = Vec::new();
    for row in rows {
        let key = (row.network.as_str(), row.batch);
        if !tables.contains(&key) {
            tables.push(key);
        }
    }
    for (network, batch) in tables {
        let rows = || rows.iter().filter(|row| row.network == network && row.batch == batch);
        let serin = rows().find(|row| row.system == SERIN);
        println!("\n{network}, batch {batch}");
        print_cells([
            "system",
            "against",
            "MB up",
            "MB down",
            "MB",
            "×serin",
            "rounds",
            "wall s",
            "×serin",
            "server CPU s",
            "client CPU s",
            "×serin",
            "setup MB",
            "",
        ]);
        for row in rows() {
            row.print(serin);
        }
    }
}

fn print_cells(cells: [&str; 14]) {
    let [system, against, figures @ .., source] = cells;
    let figures: String =
        figures.iter().zip(WIDTHS).map(|(figure, width)| format!(" {figure:>width$}")).collect();
    println!("{}", format!("  {system:<22} {against:<19}{figures}  {source}").trim_end());
}

fn cell(value: Option<f64>, digits: usize) -> String {
    value.map_or("–".into(), |value| format!("{value:.digits$}"))
}

/// The system that the ratios are to.
pub(crate) const SERIN: &str = "serin, private";

/// What "against" says of serin, in full.
pub(crate) const LEGEND: &str = "malicious (privacy): private against a malicious server; wrong answers are caught by mixing, which costs \
                                 B copies and T canaries on top";

const WIDTHS: [usize; 11] = [8, 8, 9, 7, 9, 8, 7, 12, 12, 7, 9];
