//! The address of a step: `/do/2/patchAll/for/17/do/0/patch`.
//!
//! The same text is part of the idempotency key, the `instance` of an error, and the anchor in a
//! console. Which steps exist is the definition's business, see `super::locate`.

use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// A task path with loop indices, without the attempt. Cheap to clone; ordered as text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskPath(Arc<str>);

impl TaskPath {
    /// The run itself; timers and locks of the whole run hang here.
    #[must_use]
    pub fn run() -> Self {
        Self(Arc::from(""))
    }

    /// Takes the text of a path as [`Self::as_str`] gave it. Whether it names a step is seen when it
    /// is used.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the path of the run itself.
    #[must_use]
    pub fn is_run(&self) -> bool {
        self.0.is_empty()
    }

    /// This path, one level down.
    #[must_use]
    pub fn join(&self, segment: &str) -> Self {
        Self(Arc::from(format!("{}/{segment}", self.0)))
    }

    /// The task `name` at place `index` of the list this path names.
    #[must_use]
    pub fn task(&self, index: usize, name: &str) -> Self {
        if name.contains(['/', '~']) {
            let name = name.replace('~', "~0").replace('/', "~1");
            return Self(Arc::from(format!("{}/{index}/{name}", self.0)));
        }
        Self(Arc::from(format!("{}/{index}/{name}", self.0)))
    }

    /// Whether `self` is `other` or lies below it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0
            .strip_prefix(&*other.0)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The name at the end.
    #[must_use]
    pub fn name(&self) -> String {
        let last = self.0.rsplit('/').next().unwrap_or_default();
        last.replace("~1", "/").replace("~0", "~")
    }

    /// Proper prefixes, longest first, the run's own path last.
    pub(super) fn ancestors(&self) -> impl Iterator<Item = &str> {
        self.0
            .rmatch_indices('/')
            .filter_map(|(at, _)| self.0.get(..at))
    }
}

impl Borrow<str> for TaskPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TaskPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::TaskPath;

    #[test]
    fn a_path_is_within_itself_and_its_parents_only() {
        let path = TaskPath::new("/do")
            .task(1, "ab")
            .join("for/3/do")
            .task(0, "x/y");
        assert_eq!(path.as_str(), "/do/1/ab/for/3/do/0/x~1y");
        assert_eq!(path.name(), "x/y");
        assert!(path.is_within(&path));
        assert!(path.is_within(&TaskPath::new("/do/1/ab")));
        assert!(path.is_within(&TaskPath::run()));
        assert!(!path.is_within(&TaskPath::new("/do/1/a")));
    }

    #[test]
    fn ancestors_go_up_to_the_run() {
        let path = TaskPath::new("/do/0/a");
        let up: Vec<_> = path.ancestors().collect();
        assert_eq!(up, ["/do/0", "/do", ""]);
    }
}
