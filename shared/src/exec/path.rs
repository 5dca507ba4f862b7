//! Where programs are looked for: fixed directories that only root can write.

use super::ExecError;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

const SYSTEM: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// Directories in the order they are searched.
#[derive(Debug, Clone)]
pub struct SearchPath {
    directories: Vec<PathBuf>,
}

impl SearchPath {
    /// The directories of the system.
    #[must_use]
    pub fn system() -> Self {
        Self::of(SYSTEM)
    }

    /// These directories, which must be absolute; others are left out.
    #[must_use]
    pub fn of<P: Into<PathBuf>>(directories: impl IntoIterator<Item = P>) -> Self {
        let mut directories: Vec<PathBuf> = directories.into_iter().map(Into::into).collect();
        directories.retain(|directory| directory.is_absolute());
        Self { directories }
    }

    /// These directories, and after them those of `next`.
    #[must_use]
    pub fn then(mut self, next: Self) -> Self {
        self.directories.extend(next.directories);
        self
    }

    /// The same with a directory before it.
    #[must_use]
    pub fn after(mut self, first: Option<&Path>) -> Self {
        if let Some(first) = first.filter(|first| first.is_absolute()) {
            self.directories.insert(0, first.to_owned());
        }
        self
    }

    /// The file behind a bare name: executable, it and its directory (where links lead, too) owned by
    /// root or by this process's user and writable by nobody else.
    ///
    /// # Errors
    /// [`ExecError::Name`], [`ExecError::NotFound`].
    pub fn find(&self, program: &str) -> Result<PathBuf, ExecError> {
        if program.is_empty() || program.contains(['/', '\0']) || program.starts_with(['-', '.']) {
            return Err(ExecError::Name(program.to_owned()));
        }
        self.directories
            .iter()
            .map(|directory| directory.join(program))
            .find(|candidate| is_trusted(candidate))
            .ok_or_else(|| ExecError::NotFound(program.to_owned()))
    }

    /// The value of `PATH`.
    pub(super) fn joined(&self) -> String {
        let names: Vec<_> = self
            .directories
            .iter()
            .map(|path| path.to_string_lossy())
            .collect();
        names.join(":")
    }
}

fn is_trusted(candidate: &Path) -> bool {
    let Ok(real) = candidate.canonicalize() else {
        return false;
    };
    let is_program = real
        .metadata()
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    let places = [candidate.parent(), real.parent(), Some(real.as_path())];
    is_program && places.into_iter().flatten().all(only_owner_writes)
}

fn only_owner_writes(path: &Path) -> bool {
    let me = rustix::process::geteuid().as_raw();
    path.metadata().is_ok_and(|metadata| {
        let owned = metadata.uid() == 0 || metadata.uid() == me;
        owned && metadata.permissions().mode() & 0o022 == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};

    fn program(directory: &Path, name: &str, mode: u32) {
        let file = directory.join(name);
        fs::write(&file, "#!/bin/true\n").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn only_programs_nobody_else_can_write_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = SearchPath::of([directory.path()]);
        program(directory.path(), "good", 0o755);
        program(directory.path(), "writable", 0o777);
        program(directory.path(), "plain", 0o644);
        assert!(path.find("good").is_ok());
        for name in ["writable", "plain", "absent"] {
            assert!(
                matches!(path.find(name), Err(ExecError::NotFound(_))),
                "{name}"
            );
        }
        for name in ["", "a/b", "/bin/ls", "..", "-x", "a\0"] {
            assert!(
                matches!(path.find(name), Err(ExecError::Name(_))),
                "{name:?}"
            );
        }
        fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(path.find("good"), Err(ExecError::NotFound(_))));
    }

    #[test]
    fn relative_directories_are_not_searched() {
        assert!(SearchPath::of(["bin", "."]).find("ls").is_err());
        assert!(SearchPath::system().find("ls").is_ok());
    }
}
