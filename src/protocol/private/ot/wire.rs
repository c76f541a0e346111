//! The messages of oblivious transfer as they cross the link: a step, a name for errors, and a length both sides derive.

use super::error::{Fault, OtError, Role};
use crate::net::{Channel, Step};

/// One kind of message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    pub(super) step: Step,
    pub(super) name: &'static str,
}

const fn message(number: u8, name: &'static str) -> Message {
    Message { step: Step::oblivious(number), name }
}

pub(super) const BASE_REQUEST: Message = message(0, "the base transfers' request");
pub(super) const BASE_REPLY: Message = message(1, "the base transfers' reply");
pub(super) const COLUMNS: Message = message(2, "the extension's columns");
pub(super) const CHECK_KEY: Message = message(3, "the extension's check key");
pub(super) const CHECK: Message = message(4, "the extension's check");
pub(super) const TREES: Message = message(5, "the punctured trees");
pub(super) const TREES_KEY: Message = message(6, "the trees' check key");
pub(super) const TREES_CHECK: Message = message(7, "the trees' check");
pub(super) const FLIPS: Message = message(8, "the flips of the choices");
pub(super) const MASKED: Message = message(9, "the masked messages");

/// Sends `body` as `message`.
pub(super) fn send(channel: &mut dyn Channel, message: Message, body: &[u8]) -> Result<(), OtError> {
    Ok(channel.send(message.step, body)?)
}

/// Receives `message` of exactly `want` bytes from the peer, who plays `from`.
pub(super) fn receive(
    channel: &mut dyn Channel,
    from: Role,
    message: Message,
    want: usize,
) -> Result<Vec<u8>, OtError> {
    let body = channel.receive(message.step, want)?;
    if body.len() != want {
        return Err(OtError::by(from, Fault::Length { message: message.name, got: body.len(), want }));
    }
    Ok(body)
}

/// Receives `message` of exactly `want` blocks.
pub(super) fn receive_blocks(
    channel: &mut dyn Channel,
    from: Role,
    message: Message,
    want: usize,
) -> Result<Vec<u128>, OtError> {
    let body = receive(channel, from, message, want * 16)?;
    Ok(body.as_chunks().0.iter().map(|bytes| u128::from_le_bytes(*bytes)).collect())
}

/// Sends `blocks` as `message`.
pub(super) fn send_blocks(
    channel: &mut dyn Channel,
    message: Message,
    blocks: &[u128],
) -> Result<(), OtError> {
    let bytes: Vec<[u8; 16]> = blocks.iter().map(|block| block.to_le_bytes()).collect();
    send(channel, message, bytes.as_flattened())
}
