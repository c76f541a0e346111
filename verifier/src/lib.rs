//! *When to believe it*: the conversation, the proof, the canary plan and verdict, the report. The client-side library.
//!
//! | module | holds |
//! |---|---|
//! | [`card`] | what a client pins: graph digest, weight commitment, claimed accuracy |
//! | [`statement`] | what a proof is about |
//! | [`verify`] | the verifier, a pure function of bytes |
//! | [`script`] | conversations written once for both sides, over merlin |
//! | [`sumcheck`], [`lookup`], [`commit`], [`layer`] | the sub-protocols |
//! | [`soundness`] | what a proof is worth, in bits |
//! | [`rejection`] | why not, where, and whom it blames |
//! | [`record`], [`report`] | what was asked and answered, and what it proves |
//! | [`canary`] | hidden samples with known answers: plan, judge, bounds |
//! | [`proof`], [`limits`] | the proof's form; caps |
//!
//! This crate links no prover, no server, no model parser, no thread pool. It never panics on foreign bytes.
//!
//! # Threat model
//!
//! The server is malicious: it picks its proof's bytes after seeing the questions, may answer with another model, change
//! answers or activations, replay or reorder. The client holds a [`card::Card`] from a source it trusts. [`verify::verify`]
//! then accepts a false answer with probability at most [`soundness::Soundness`] says, per attempt. It says nothing about a
//! *bad* model honestly committed: [`canary`] does.

pub mod canary;
pub mod card;
pub mod commit;
pub mod layer;
pub mod limits;
pub mod lookup;
pub mod proof;
pub mod record;
pub mod rejection;
pub mod report;
pub mod script;
pub mod soundness;
pub mod statement;
pub mod sumcheck;
pub mod verify;
