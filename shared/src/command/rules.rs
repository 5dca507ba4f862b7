//! The rules as data, read once and checked: a mistake in them is found when they are loaded.

use super::grammar::{Marks, Rule, Style, Type};
use regex::Regex;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The rules this build has.
pub(super) const BUILT_IN: &str = include_str!("rules.toml");

const MOST: usize = 200;

/// A rule that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// Not the shape of rules.
    #[error("the rules cannot be read")]
    Shape(#[from] toml::de::Error),
    /// A pattern that is not a regular expression.
    #[error("type {name} is not a pattern")]
    Pattern {
        /// The type.
        name: String,
        /// What is wrong.
        #[source]
        source: Box<regex::Error>,
    },
    /// A rule against the rules for rules.
    #[error("rule of {program}: {problem}")]
    Rule {
        /// Its program.
        program: String,
        /// What is wrong.
        problem: String,
    },
}

/// Everything the policy knows about programs.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) read: BTreeMap<String, Rule>,
    pub(super) interactive: Vec<Interactive>,
    pub(super) forbidden: Vec<(Vec<String>, String)>,
    pub(super) ssh: Rule,
    /// Programs that cannot write to a device.
    pub(super) device_readers: BTreeSet<String>,
    pub(super) harmless_devices: BTreeSet<String>,
    pub(super) protected: BTreeSet<String>,
    /// Shape of a function that calls itself twice.
    pub(super) fork_bomb: Regex,
    #[cfg(test)]
    pub(super) examples: Vec<Examples>,
    #[cfg(test)]
    pub(super) dangerous: Vec<(String, Vec<String>)>,
}

/// Programs that want a terminal.
#[derive(Debug)]
pub(super) struct Interactive {
    pub(super) programs: Vec<String>,
    /// Only with one of these flags; empty means always.
    pub(super) only: Vec<String>,
    /// Not with one of these.
    pub(super) unless: Vec<String>,
    pub(super) instead: String,
}

/// Calls a rule must take and calls it must not.
#[cfg(test)]
#[derive(Debug)]
pub(super) struct Examples {
    pub(super) reads: Vec<String>,
    pub(super) asks: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    types: BTreeMap<String, String>,
    read: Vec<ReadText>,
    dangerous: Vec<DangerousText>,
    interactive: Vec<InteractiveText>,
    forbidden: Vec<ForbiddenText>,
    ssh: SshText,
    devices: DevicesText,
    protected: ProtectedText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadText {
    program: String,
    #[serde(default)]
    style: StyleText,
    #[serde(default)]
    bare: String,
    #[serde(default)]
    valued: BTreeMap<String, String>,
    #[serde(default)]
    optional: BTreeMap<String, String>,
    #[serde(default)]
    requires: String,
    #[serde(default)]
    words: Vec<Vec<String>>,
    first: Option<String>,
    #[serde(default)]
    first_by: String,
    operands: Option<String>,
    #[serde(default)]
    least: usize,
    most: Option<usize>,
    #[serde(default)]
    digits: bool,
    #[serde(default)]
    here: bool,
    reads: Vec<String>,
    asks: Vec<String>,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum StyleText {
    #[default]
    Gnu,
    Find,
    Any,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DangerousText {
    program: String,
    flags: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InteractiveText {
    programs: String,
    #[serde(default)]
    only: String,
    #[serde(default)]
    unless: String,
    instead: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ForbiddenText {
    programs: String,
    why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SshText {
    bare: String,
    valued: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DevicesText {
    readers: String,
    harmless: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProtectedText {
    directories: String,
    fork_bomb: String,
}

impl Rules {
    /// Reads rules and checks them.
    pub(super) fn parse(text: &str) -> Result<Self, RulesError> {
        let document: Document = toml::from_str(text)?;
        let types = Types::compile(document.types)?;
        let dangerous: BTreeMap<_, BTreeSet<String>> = document
            .dangerous
            .into_iter()
            .map(|entry| (entry.program, list(&entry.flags)))
            .collect();
        let mut read = BTreeMap::new();
        #[cfg(test)]
        let mut examples = Vec::new();
        for text in document.read {
            let program = text.program.clone();
            text.lint(dangerous.get(&program))?;
            #[cfg(test)]
            examples.push(Examples {
                reads: text.reads.clone(),
                asks: text.asks.clone(),
            });
            if read.insert(program.clone(), text.rule(&types)?).is_some() {
                return Err(broken(&program, "there are two"));
            }
        }
        Ok(Self {
            read,
            interactive: document.interactive.into_iter().map(Into::into).collect(),
            forbidden: document
                .forbidden
                .into_iter()
                .map(|entry| (list(&entry.programs), entry.why))
                .collect(),
            ssh: document.ssh.rule(&types)?,
            device_readers: list(&document.devices.readers),
            harmless_devices: list(&document.devices.harmless),
            protected: list(&document.protected.directories),
            fork_bomb: compile("fork_bomb", &document.protected.fork_bomb)?,
            #[cfg(test)]
            examples,
            #[cfg(test)]
            dangerous: dangerous
                .into_iter()
                .map(|(program, flags)| (program, flags.into_iter().collect()))
                .collect(),
        })
    }
}

impl From<InteractiveText> for Interactive {
    fn from(text: InteractiveText) -> Self {
        Self {
            programs: list(&text.programs),
            only: list(&text.only),
            unless: list(&text.unless),
            instead: text.instead,
        }
    }
}

impl ReadText {
    /// The rules for rules.
    fn lint(&self, dangerous: Option<&BTreeSet<String>>) -> Result<(), RulesError> {
        let bare: BTreeSet<String> = list(&self.bare);
        let flags = bare
            .iter()
            .chain(self.valued.keys())
            .chain(self.optional.keys());
        for flag in flags {
            if dangerous.is_some_and(|dangerous| dangerous.contains(flag)) {
                return Err(broken(
                    &self.program,
                    &format!("{flag} writes or runs something"),
                ));
            }
        }
        if self.reads.len() < 2 || (self.asks.len() < 3 && self.style != StyleText::Any) {
            return Err(broken(&self.program, "it has too few examples"));
        }
        Ok(())
    }

    fn rule(self, types: &Types) -> Result<Rule, RulesError> {
        let kind = |name: &String| types.get(&self.program, name);
        Ok(Rule {
            style: match self.style {
                StyleText::Gnu => Style::Gnu,
                StyleText::Find => Style::Find,
                StyleText::Any => Style::Any,
            },
            bare: list(&self.bare),
            valued: types.of(&self.program, &self.valued)?,
            optional: types.of(&self.program, &self.optional)?,
            requires: list(&self.requires),
            first: self.first.as_ref().map(kind).transpose()?,
            first_by: list(&self.first_by),
            operands: self.operands.as_ref().map(kind).transpose()?,
            least: self.least,
            most: self.most.unwrap_or(MOST),
            marks: Marks {
                digits: self.digits,
                here: self.here,
            },
            words: self.words,
        })
    }
}

impl SshText {
    /// Flags only: host and words are looked at apart.
    fn rule(self, types: &Types) -> Result<Rule, RulesError> {
        Ok(Rule {
            style: Style::Gnu,
            bare: list(&self.bare),
            valued: types.of("ssh", &self.valued)?,
            optional: BTreeMap::new(),
            requires: BTreeSet::new(),
            words: Vec::new(),
            first: None,
            first_by: BTreeSet::new(),
            operands: None,
            least: 0,
            most: 0,
            marks: Marks::default(),
        })
    }
}

struct Types(BTreeMap<String, Regex>);

impl Types {
    fn compile(patterns: BTreeMap<String, String>) -> Result<Self, RulesError> {
        let compile = |(name, pattern): (String, String)| {
            let regex = compile(&name, &format!("^(?:{pattern})$"))?;
            Ok((name, regex))
        };
        let compiled = patterns.into_iter().map(compile);
        compiled.collect::<Result<_, _>>().map(Self)
    }

    fn get(&self, program: &str, name: &str) -> Result<Type, RulesError> {
        if name == "path" {
            return Ok(Type::Path);
        }
        let pattern = self.0.get(name).cloned();
        let pattern =
            pattern.ok_or_else(|| broken(program, &format!("there is no type {name}")))?;
        Ok(Type::Text(pattern))
    }

    fn of(
        &self,
        program: &str,
        flags: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, Type>, RulesError> {
        let typed = |(flag, name): (&String, &String)| Ok((flag.clone(), self.get(program, name)?));
        flags.iter().map(typed).collect()
    }
}

fn compile(name: &str, pattern: &str) -> Result<Regex, RulesError> {
    Regex::new(pattern).map_err(|error| RulesError::Pattern {
        name: name.to_owned(),
        source: Box::new(error),
    })
}

fn list<C: FromIterator<String>>(text: &str) -> C {
    text.split_whitespace().map(str::to_owned).collect()
}

fn broken(program: &str, problem: &str) -> RulesError {
    RulesError::Rule {
        program: program.to_owned(),
        problem: problem.to_owned(),
    }
}
