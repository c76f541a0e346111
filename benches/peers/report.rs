//! What `serin bench --protocol private --json` and `spu_cheetah.py` print, a JSON list each. A field that is missing is an error that
//! names it; more fields than these are fine.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// One batch size of `serin bench --protocol private`.
#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "the model must be there, but is not shown")]
pub(crate) struct Serin {
    model: String,
    pub(crate) batch: usize,
    pub(crate) setup_bytes: u64,
    /// Offline and online, without the setup.
    pub(crate) bytes_to_server: u64,
    pub(crate) bytes_to_client: u64,
    pub(crate) rounds_offline: u64,
    pub(crate) rounds_online: u64,
    pub(crate) offline_cpu_s: Ends,
    pub(crate) online_cpu_s: Ends,
    pub(crate) offline_wall_s: f64,
    pub(crate) online_wall_s: f64,
    pub(crate) nodes: Vec<Node>,
}

/// What one node of a network takes for the whole batch.
#[derive(Debug, Deserialize)]
pub(crate) struct Node {
    pub(crate) kind: String,
    pub(crate) bytes_to_server: u64,
    pub(crate) bytes_to_client: u64,
    pub(crate) offline_cpu_s: Ends,
    pub(crate) online_cpu_s: Ends,
}

/// A figure of either end.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Ends {
    pub(crate) client: f64,
    pub(crate) server: f64,
}

/// One network and batch size of `spu_cheetah.py`.
#[derive(Debug, Deserialize)]
pub(crate) struct Spu {
    pub(crate) network: String,
    pub(crate) batch: usize,
    pub(crate) bytes_to_server: u64,
    pub(crate) bytes_to_client: u64,
    /// Of these, the server's share of the outputs.
    pub(crate) answer_bytes: u64,
    pub(crate) messages: u64,
    pub(crate) setup_bytes: u64,
    pub(crate) wall_s: f64,
    pub(crate) server_cpu_s: f64,
    pub(crate) client_cpu_s: f64,
}

/// One report for each batch, in this order.
pub(crate) fn reports<T: DeserializeOwned>(json: &[u8]) -> Result<Vec<T>, serde_json::Error> {
    serde_json::from_slice(json)
}
