//! Measuring the path of a call: how long, how many, at what cost.
//!
//! [`load`] drives a [`Door`] with a fixed number of connections, closed (each sends when the last
//! answer is there) or open (at a rate, whatever the answers do; time is counted from when a call was
//! due, so a stall is not left out). [`steps`] times each step of the gateway alone. [`echo`] is the
//! spoke that is called, [`slow`] its bad neighbour. Starting a hub to measure is the command line's matter.

pub mod echo;
mod http;
mod load;
pub mod slow;
mod spoke;
pub mod steps;
mod usage;

pub use http::HubDoor;
pub use load::{Figures, Pace, Plan, load};
pub use spoke::{SpokeDoor, read_permit};
pub use usage::Usage;

/// What is called.
pub enum Door {
    /// A hub, over HTTP, as an AI host calls it.
    Hub(HubDoor),
    /// A spoke without a hub, over gRPC, as the hub calls it.
    Spoke(Box<SpokeDoor>),
}

/// Why nothing was measured, or one call failed.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The target cannot be reached.
    #[error("the target cannot be reached")]
    Connect(#[source] std::io::Error),
    /// The connection broke or speaks something else.
    #[error("the connection failed")]
    Http(#[source] hyper::Error),
    /// The answer is no result.
    #[error("answer {status}: {body}")]
    Answer {
        /// HTTP status.
        status: u16,
        /// The beginning of its body.
        body: String,
    },
    /// The spoke gave no result.
    #[error("the spoke gave no result")]
    Spoke(#[from] crate::upstream::UpstreamError),
    /// The plan or the set-up is impossible.
    #[error("{0}")]
    Setup(String),
}
