//! `ssh` as a program: which of its flags are let through, and what it would run.

use super::grammar::Rule;
use super::{Refusal, words};

/// What an `ssh` command would do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Remote {
    /// The host, without user.
    pub(super) host: String,
    /// What runs there; empty for a shell.
    pub(super) argv: Vec<String>,
}

/// Reads the arguments of `ssh`. Its words are joined and read again by the shell there, so they are
/// split again here.
pub(super) fn read(rule: &Rule, arguments: &[String]) -> Result<Remote, Refusal> {
    let is_flag = |word: &String| word.starts_with('-');
    let mut at = 0;
    while let Some(flag) = arguments.get(at).filter(|word| is_flag(word)) {
        // A value may stand in the next word.
        let alone = arguments.get(at..=at).unwrap_or_default();
        let pair = arguments.get(at..at.saturating_add(2)).unwrap_or_default();
        at = match (rule.accept(alone), rule.accept(pair)) {
            (Ok(_), _) => at.saturating_add(1),
            (Err(_), Ok(_)) if pair.len() == 2 => at.saturating_add(2),
            (Err(_), _) => {
                let why = format!(
                    "ssh {flag}: it could run a program here, open a tunnel or trust another key"
                );
                return Err(Refusal::forbidden(&why));
            }
        };
    }
    let rest = arguments.get(at..).unwrap_or_default();
    let (destination, remote) = match rest.split_first() {
        Some((destination, remote)) if !remote.is_empty() => (destination, remote),
        _ => {
            return Err(Refusal::Interactive {
                program: "ssh".into(),
                instead: "give the command to run there, or use linux.sshExecuteCommand".into(),
            });
        }
    };
    let host = destination
        .rsplit_once('@')
        .map_or(destination.as_str(), |(_, host)| host);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
    if host.is_empty() || host.starts_with('-') || !host.chars().all(plain) {
        return Err(Refusal::forbidden("ssh: that is not the name of a host"));
    }
    let argv = words::split(&remote.join(" ")).map_err(Refusal::Words)?;
    Ok(Remote {
        host: host.to_owned(),
        argv,
    })
}
