//! What a reader of documents asks about the world: which tools there are.
//!
//! The answer is a snapshot taken while the document is read; whether a caller may use a tool is
//! decided when a step runs.

use super::model::Effect;
use serde_json::Value;
use std::sync::Arc;

/// The tools that documents may call.
pub trait Catalogue {
    /// The tool with this id; `None` when there is none.
    fn tool(&self, id: &str) -> Option<ToolView>;

    /// Whether a tool this catalogue does not have is a mistake. `false` when nothing is known about
    /// tools, as for [`NoCatalogue`].
    fn complete(&self) -> bool {
        true
    }

    /// Id of the tool through which `run` may start a process of this kind; `None` refuses such
    /// documents, which is the default.
    fn process(&self, _kind: ProcessKind) -> Option<String> {
        None
    }
}

/// One tool as a document sees it.
#[derive(Debug, Clone)]
pub struct ToolView {
    /// Full id.
    pub id: String,
    /// Version the spoke reports; `None` when it reports none.
    pub version: Option<String>,
    /// JSON Schema of the arguments.
    pub schema: Arc<Value>,
    /// What a lost answer means.
    pub effect: Effect,
    /// Id of the tool that can tell whether a call took place; `None` when there is none.
    pub verify: Option<String>,
}

/// Kinds of foreign processes `run` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessKind {
    /// An image.
    Container,
    /// Source text with its language.
    Script,
    /// A command line.
    Shell,
}

/// Knows no tools and takes every name for one.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCatalogue;

impl Catalogue for NoCatalogue {
    fn tool(&self, _id: &str) -> Option<ToolView> {
        None
    }

    fn complete(&self) -> bool {
        false
    }
}
