//! Durable workflows without input or output: the language, its expressions and the interpreter.
//!
//! [`dsl`] reads a document of the Serverless Workflow DSL into a [`dsl::model::Definition`] or says
//! what is wrong with it and where; [`expression`] evaluates jq; [`core`] turns events into commands.
//! Nothing here opens a file or a socket, reads a clock, draws a random number or knows of tasks and
//! threads of a runtime: what happens in the world comes in as a value, and what is to happen goes
//! out as one (ADR 0008).

pub mod core;
pub mod dsl;
pub mod expression;
#[cfg(feature = "testkit")]
pub mod simulator;
