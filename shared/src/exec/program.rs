//! A program an operator names, and runs that end with the call.

use super::{ExecError, Executor, MIN_TIMEOUT, SearchPath};
use crate::error::Code;
use crate::tasks::Tasks;
use crate::tool::{Call, ToolError};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A program in a setting: a bare name, or an absolute path.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Program {
    /// Where it is; `None` when it is looked for where programs are.
    pub folder: Option<PathBuf>,
    /// Its name.
    pub name: String,
}

impl TryFrom<String> for Program {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let path = Path::new(&text);
        let name = path.file_name().and_then(|name| name.to_str());
        match (name, path.parent()) {
            (Some(name), Some(folder)) if path.is_absolute() => Ok(Self {
                folder: Some(folder.to_owned()),
                name: name.to_owned(),
            }),
            (Some(name), _) if name == text => Ok(Self {
                folder: None,
                name: text,
            }),
            _ => Err("is neither the name of a program nor an absolute path"),
        }
    }
}

impl Executor {
    /// An executor that looks where programs are, and first where this one is.
    ///
    /// # Errors
    /// [`ExecError::Walls`] when the programs that set the limits are missing.
    pub fn of(program: &Program, tasks: Tasks) -> Result<Self, ExecError> {
        let path = SearchPath::system().after(program.folder.as_deref());
        Self::new(path, tasks)
    }
}

/// The time limit of a run: these seconds, at most what the caller still waits.
///
/// # Errors
/// [`Code::Timeout`] when less than a second is left.
pub fn time_limit(seconds: u64, call: &Call) -> Result<Duration, ToolError> {
    let limit = Duration::from_secs(seconds).min(call.remaining());
    match limit < MIN_TIMEOUT {
        true => Err(ToolError::refused(
            Code::Timeout,
            "no time is left for this call",
        )),
        false => Ok(limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_names_or_absolute_paths() {
        let program = |text: &str| Program::try_from(text.to_owned());
        assert_eq!(program("aider").unwrap().folder, None);
        let placed = program("/opt/aider/bin/aider").unwrap();
        assert_eq!(placed.folder.unwrap(), Path::new("/opt/aider/bin"));
        assert_eq!(placed.name, "aider");
        for bad in ["", "bin/aider", "../aider", "/", "aider/"] {
            assert!(program(bad).is_err(), "{bad:?}");
        }
    }
}
