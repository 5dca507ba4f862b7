//! What is refused whoever says yes: no shell, no program that hides another, no emptied root, no
//! write to a device, no fork bomb; and what would wait for a person at a terminal.

use super::rules::{Interactive, Rules};
use super::{Refusal, Scene};
use std::path::{Component, Path, PathBuf};

impl Rules {
    pub(super) fn check_danger(&self, argv: &[String], scene: &Scene<'_>) -> Result<(), Refusal> {
        let Some((program, arguments)) = argv.split_first() else {
            return Ok(());
        };
        self.check_program(program)?;
        self.check_removal(program, arguments, scene)?;
        self.check_devices(program, arguments, scene)?;
        if argv.iter().any(|word| self.fork_bomb.is_match(word)) {
            return Err(Refusal::forbidden("it looks like a fork bomb"));
        }
        Ok(())
    }

    /// By name alone.
    pub(super) fn check_program(&self, program: &str) -> Result<(), Refusal> {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => program.starts_with(start),
            None => program == pattern,
        };
        let mut entries = self.forbidden.iter();
        match entries.find(|(programs, _)| programs.iter().any(fits)) {
            Some((_, why)) => Err(Refusal::forbidden(&format!("{program}: {why}"))),
            None => Ok(()),
        }
    }

    pub(super) fn check_interactive(&self, argv: &[String]) -> Result<(), Refusal> {
        let Some((program, arguments)) = argv.split_first() else {
            return Ok(());
        };
        let has = |flags: &[String]| flags.iter().any(|flag| is_given(flag, arguments));
        let applies = |entry: &&Interactive| {
            entry.programs.iter().any(|name| name == program)
                && (entry.only.is_empty() || has(&entry.only))
                && !has(&entry.unless)
        };
        match self.interactive.iter().find(applies) {
            Some(entry) => Err(Refusal::Interactive {
                program: program.clone(),
                instead: entry.instead.clone(),
            }),
            None => Ok(()),
        }
    }

    fn check_removal(
        &self,
        program: &str,
        arguments: &[String],
        scene: &Scene<'_>,
    ) -> Result<(), Refusal> {
        let removes = match program {
            "rm" => ["-r", "-R", "--recursive"]
                .iter()
                .any(|flag| is_given(flag, arguments)),
            "find" => arguments.iter().any(|argument| argument == "-delete"),
            _ => return Ok(()),
        };
        if is_given("--no-preserve-root", arguments) {
            return Err(Refusal::forbidden("--no-preserve-root"));
        }
        let stripped = |argument: &str| argument.trim_end_matches(['*', '.', '/']).to_owned();
        let hits = |argument: &&String| {
            // `/*` and `/etc/` mean the directory, too.
            let bare = format!("{}/", stripped(argument));
            let mut places = [scene.places(argument), scene.places(&bare)].concat();
            places.retain(|place| {
                place
                    .to_str()
                    .is_some_and(|path| self.protected.contains(path))
            });
            !places.is_empty()
        };
        let operand = |argument: &&String| !argument.starts_with('-');
        match arguments.iter().filter(operand).find(hits) {
            Some(_) if removes => Err(Refusal::forbidden(
                "it would remove a top-level directory with everything in it",
            )),
            _ => Ok(()),
        }
    }

    fn check_devices(
        &self,
        program: &str,
        arguments: &[String],
        scene: &Scene<'_>,
    ) -> Result<(), Refusal> {
        if self.device_readers.contains(program) {
            return Ok(());
        }
        let is_device = |text: &str| {
            scene.places(text).iter().any(|place| {
                let path = place.to_string_lossy();
                place.starts_with("/dev")
                    && path != "/dev"
                    && !self.harmless_devices.contains(path.as_ref())
            })
        };
        let names = |argument: &&String| {
            let value = argument.split_once('=').map(|(_, value)| value);
            is_device(argument) || value.is_some_and(is_device)
        };
        match arguments.iter().find(names) {
            Some(_) => Err(Refusal::forbidden(
                "it names a device, which it could write to",
            )),
            None => Ok(()),
        }
    }
}

impl Scene<'_> {
    /// What a text could mean as a path: by its spelling, and by where links lead.
    fn places(&self, text: &str) -> Vec<PathBuf> {
        if text.is_empty() {
            return Vec::new();
        }
        match self {
            Self::Here { directory, .. } => {
                let spelled = directory.join(text);
                let real = spelled.canonicalize().ok();
                std::iter::once(normal(&spelled)).chain(real).collect()
            }
            // Somewhere below an unknown directory: enough `..` lead to the root.
            Self::Elsewhere { .. } => vec![normal(&Path::new("/").join(text))],
        }
    }
}

/// Without `.`, `..` and doubled slashes, by spelling.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::from("/");
    for component in path.components() {
        match component {
            Component::ParentDir => drop(normal.pop()),
            Component::Normal(part) => normal.push(part),
            _ => {}
        }
    }
    normal
}

/// Whether a flag is among the arguments, also in a run of letters or abbreviated; rather once too
/// often than once too few.
fn is_given(flag: &str, arguments: &[String]) -> bool {
    let arguments = arguments.iter().take_while(|argument| *argument != "--");
    match flag.strip_prefix("--") {
        Some(_) => arguments.into_iter().any(|argument| {
            let name = argument.split('=').next().unwrap_or_default();
            name.len() > 2 && flag.starts_with(name)
        }),
        None => arguments.into_iter().any(|argument| {
            let letter = flag.trim_start_matches('-');
            argument
                .strip_prefix('-')
                .is_some_and(|letters| !letters.starts_with('-') && letters.contains(letter))
        }),
    }
}
