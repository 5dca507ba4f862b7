//! The command policy: which programs may be run with which arguments, and what that would change.
//!
//! A line becomes an argument vector ([`split`]); [`Policy::judge`] then says read, change or no. The
//! rules are data (`command/rules.toml`). Reading is a closed list: a flag, value or path that is not
//! known to only read makes the call a change, which a person must approve. Some things are refused
//! even then. Nothing is run here: that is [`crate::exec`]. Source: `catalogue.md` 3.

mod danger;
mod grammar;
mod remote;
mod rules;
mod words;

pub use rules::RulesError;
pub use words::{WordsError, listed, quoted, shown, split};

use crate::error::Code;
use crate::files::Roots;
use crate::tool::{Effect, ToolError};
use rules::Rules;
use std::collections::BTreeSet;
use std::path::Path;

const MAX_WORDS: usize = 256;

/// The programs an operator allows, and what this build knows about them.
#[derive(Debug)]
pub struct Policy {
    allowed: BTreeSet<String>,
    rules: Rules,
}

/// Where a command would run, for its paths.
#[derive(Debug, Clone, Copy)]
pub enum Scene<'a> {
    /// On this host: links are followed.
    Here {
        /// Where files may be read.
        read: &'a Roots,
        /// The working directory.
        directory: &'a Path,
    },
    /// On another host: paths count by their spelling, relative ones are not allowed.
    Elsewhere {
        /// Where files may be read.
        read: &'a Roots,
    },
}

/// A command that may be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// [`Effect::Read`], or [`Effect::Mutate`] for everything not known to only read.
    pub effect: Effect,
    /// Why it is not a read, for the person who decides; empty for a read.
    pub reason: String,
    /// The host an `ssh` command goes to, which the caller still has to allow.
    pub remote_host: Option<String>,
}

/// A command that may not be run, whoever says yes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its line cannot be split.
    #[error("command: it cannot be read as words")]
    Words(#[source] WordsError),
    /// Not in the operator's list.
    #[error("command: {program:?} is not in ALLOWED_COMMANDS ({allowed})")]
    NotAllowed {
        /// The program.
        program: String,
        /// The list, for people.
        allowed: String,
    },
    /// It wants a terminal.
    #[error("command: {program} would wait for a person at a terminal; {instead}")]
    Interactive {
        /// The program.
        program: String,
        /// What to do in its place.
        instead: String,
    },
    /// Refused always.
    #[error("command: forbidden: {0}")]
    Forbidden(String),
}

impl Refusal {
    fn forbidden(why: &str) -> Self {
        Self::Forbidden(shown(why))
    }
}

impl From<Refusal> for ToolError {
    fn from(refusal: Refusal) -> Self {
        let code = match &refusal {
            Refusal::Words(WordsError::Metacharacter(_)) => Code::PolicyViolation,
            Refusal::Words(_) => Code::InvalidInput,
            Refusal::NotAllowed { .. } | Refusal::Forbidden(_) => Code::PolicyViolation,
            Refusal::Interactive { .. } => Code::InteractiveRefused,
        };
        let message = match &refusal {
            Refusal::Words(error) => format!("command: {error}"),
            other => other.to_string(),
        };
        Self::refused(code, message)
    }
}

impl Policy {
    /// A policy that allows these programs, by bare name.
    ///
    /// # Errors
    /// [`RulesError`] when one is not a bare name, or one that is never run.
    pub fn new<S: Into<String>>(allowed: impl IntoIterator<Item = S>) -> Result<Self, RulesError> {
        let rules = Rules::parse(rules::BUILT_IN)?;
        let allowed: BTreeSet<String> = allowed.into_iter().map(Into::into).collect();
        for program in &allowed {
            let problem = match rules.check_program(program) {
                _ if program.is_empty() || program.contains('/') => "not a bare name".into(),
                Err(refusal) => refusal.to_string(),
                Ok(()) => continue,
            };
            let program = program.clone();
            return Err(RulesError::Rule { program, problem });
        }
        Ok(Self { allowed, rules })
    }

    /// The programs, in order.
    pub fn allowed(&self) -> impl Iterator<Item = &str> {
        self.allowed.iter().map(String::as_str)
    }

    /// Whether a command may be run, and what it would change.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn judge(&self, argv: &[String], scene: &Scene<'_>) -> Result<Verdict, Refusal> {
        let (program, arguments) = argv
            .split_first()
            .ok_or(Refusal::Words(WordsError::Empty))?;
        if argv.len() > MAX_WORDS {
            return Err(Refusal::Words(WordsError::TooLong));
        }
        if argv.iter().any(|word| word.contains('\0')) {
            return Err(Refusal::Words(WordsError::Nul));
        }
        self.rules.check_danger(argv, scene)?;
        self.rules.check_interactive(argv)?;
        if program == "ssh" {
            return self.judge_ssh(arguments, scene);
        }
        self.check_allowed(program)?;
        let Some(rule) = self.rules.read.get(program) else {
            let why = format!("{program} is not known to only read");
            return Ok(Verdict::change(why));
        };
        Ok(match rule.accept(arguments) {
            Err(why) => Verdict::change(why),
            Ok(paths) => match paths.iter().find(|path| !scene.holds(path)) {
                Some(path) => {
                    Verdict::change(format!("{:?} is not under ALLOWED_READ_PATHS", shown(path)))
                }
                None => Verdict::read(),
            },
        })
    }

    /// What runs on the other host is judged, too; the call as a whole is never a read.
    fn judge_ssh(&self, arguments: &[String], scene: &Scene<'_>) -> Result<Verdict, Refusal> {
        let read = match scene {
            Scene::Here { read, .. } => read,
            Scene::Elsewhere { .. } => {
                return Err(Refusal::forbidden("ssh: from one host to the next"));
            }
        };
        let remote = remote::read(&self.rules.ssh, arguments)?;
        self.check_allowed("ssh")?;
        self.judge(&remote.argv, &Scene::Elsewhere { read })?;
        let mut verdict = Verdict::change("it runs a command on another host".into());
        verdict.remote_host = Some(remote.host);
        Ok(verdict)
    }

    fn check_allowed(&self, program: &str) -> Result<(), Refusal> {
        if self.allowed.contains(program) {
            return Ok(());
        }
        let allowed: Vec<_> = self.allowed().collect();
        Err(Refusal::NotAllowed {
            program: shown(program),
            allowed: allowed.join(", "),
        })
    }
}

impl Scene<'_> {
    fn holds(&self, path: &str) -> bool {
        match self {
            Self::Here { read, directory } => read.hold(path, directory),
            Self::Elsewhere { read } => read.hold_by_name(path),
        }
    }
}

impl Verdict {
    const fn read() -> Self {
        Self {
            effect: Effect::Read,
            reason: String::new(),
            remote_host: None,
        }
    }

    const fn change(reason: String) -> Self {
        Self {
            effect: Effect::Mutate,
            reason,
            remote_host: None,
        }
    }
}

#[cfg(test)]
mod tests;
