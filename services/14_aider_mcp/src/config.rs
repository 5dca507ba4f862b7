//! Settings of this spoke. The annotated reference is `config.default.toml`; keys are not here.

use serde::Deserialize;
use shared::command;
use shared::config::{Kind, Variable};
use shared::exec::Program;
use shared::remote::BaseUrl;
use std::path::PathBuf;

/// Every setting with its default.
pub(crate) const DEFAULTS: &str = include_str!("config.default.toml");

/// The variables that override settings.
pub(crate) const VARIABLES: &[Variable] = &[
    Variable::new("REPO_PATH", "repository.path", Kind::Text),
    Variable::new("AIDER_TEST_COMMAND", "repository.test_command", Kind::Text),
    Variable::new("AIDER_PATH", "aider.path", Kind::Text),
    Variable::new("AIDER_MODEL", "aider.model", Kind::Text),
    Variable::new("AIDER_OPENAI_API_BASE", "aider.openai_api_base", Kind::Text),
];

/// All settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// What is worked on.
    pub(crate) repository: Repository,
    /// What works.
    pub(crate) aider: Aider,
}

/// What is worked on.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Repository {
    /// Top folder of a git repository.
    pub(crate) path: PathBuf,
    /// Words of the command that runs its tests; empty when there is none.
    pub(crate) test_command: Words,
}

/// What works.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Aider {
    /// The program.
    pub(crate) path: Program,
    /// Model of calls that name none; `None` when aider chooses.
    pub(crate) model: ModelName,
    /// Address of an OpenAI-compatible server.
    pub(crate) openai_api_base: BaseUrl,
}

/// The words of a command; none when the setting is empty.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Words(pub(crate) Option<(Program, Vec<String>)>);

impl TryFrom<String> for Words {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.trim().is_empty() {
            return Ok(Self(None));
        }
        let words = command::split(&text).map_err(|error| error.to_string())?;
        let mut words = words.into_iter();
        let program = Program::try_from(words.next().unwrap_or_default())?;
        Ok(Self(Some((program, words.collect()))))
    }
}

/// The name of a model that cannot be taken for an option.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct ModelName(pub(crate) Option<String>);

impl TryFrom<String> for ModelName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._:/@-".contains(c);
        match text.chars().next() {
            None => Ok(Self(None)),
            Some(first)
                if first.is_ascii_alphanumeric() && text.len() <= 100 && text.chars().all(fits) =>
            {
                Ok(Self(Some(text)))
            }
            Some(_) => Err("is not the name of a model: letters, digits and `._:/@-`, at most 100"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_command_is_words_and_nothing_of_a_shell() {
        let words = |text: &str| Words::try_from(text.to_owned());
        assert_eq!(words(" ").unwrap(), Words(None));
        let (program, rest) = words("python3 -m pytest 'a b'").unwrap().0.unwrap();
        assert_eq!(program.name, "python3");
        assert_eq!(rest, ["-m", "pytest", "a b"]);
        assert!(words("make test && rm x").is_err());
    }

    #[test]
    fn names_of_models_are_no_options() {
        let name = |text: &str| ModelName::try_from(text.to_owned());
        assert_eq!(name("").unwrap().0, None);
        assert!(name("openrouter/qwen/qwen-2.5:free").is_ok());
        for bad in ["--apply=x", "a b", "a\nb", &"x".repeat(101)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }
}
