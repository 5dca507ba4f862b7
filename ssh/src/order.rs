//! What is run, and on what kind of host.

use shared::exec::OUTPUT_LIMIT;
use std::fmt;

/// Operating systems that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// A Linux of any distribution.
    Linux,
    /// macOS.
    MacOs,
}

impl System {
    /// The word `uname -s` prints there.
    pub(crate) const fn kernel(self) -> &'static str {
        match self {
            Self::Linux => "Linux",
            Self::MacOs => "Darwin",
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Linux => "Linux",
            Self::MacOs => "macOS",
        })
    }
}

/// One program to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    words: Vec<String>,
    directory: Option<String>,
    stdin: Vec<u8>,
    limit: usize,
}

impl Order {
    /// A program and its arguments, in the directory the host starts with, with empty input.
    pub fn new<W: Into<String>>(words: impl IntoIterator<Item = W>) -> Self {
        Self {
            words: words.into_iter().map(Into::into).collect(),
            directory: None,
            stdin: Vec::new(),
            limit: OUTPUT_LIMIT,
        }
    }

    /// The same in another directory, absolute; `None` changes nothing.
    #[must_use]
    pub fn within(mut self, directory: Option<&str>) -> Self {
        self.directory = directory.map(str::to_owned);
        self
    }

    /// The same with these bytes as its input.
    #[must_use]
    pub fn reading(mut self, stdin: impl Into<Vec<u8>>) -> Self {
        self.stdin = stdin.into();
        self
    }

    /// The same with this much of each output kept, in bytes; otherwise it is 1 MiB.
    #[must_use]
    pub const fn keeping(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// For the shell over there, which becomes the program: each word in single quotes.
    pub(crate) fn line(&self) -> String {
        let run = format!("exec {}", shared::command::quoted(&self.words));
        match &self.directory {
            None => run,
            Some(directory) => {
                let directory = shared::command::quoted(std::slice::from_ref(directory));
                format!("cd {directory} && {run}")
            }
        }
    }

    pub(crate) fn stdin(&self) -> &[u8] {
        &self.stdin
    }

    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_quoted_for_the_shell_over_there() {
        let order = Order::new(["echo", "it's; $(id)"]);
        assert_eq!(order.line(), r"exec 'echo' 'it'\''s; $(id)'");
        let order = order.within(Some("/a b/`id`"));
        assert_eq!(
            order.line(),
            r"cd '/a b/`id`' && exec 'echo' 'it'\''s; $(id)'"
        );
    }
}
