//! Holding an argument vector against the rule of its program.
//!
//! The answer is never a guess: an argument the rule does not name makes the call one that needs a
//! person, with the reason in words.

use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::slice::Iter;

/// What a value or operand must look like.
#[derive(Debug, Clone)]
pub(super) enum Type {
    /// A path that must lie under an allowed root.
    Path,
    /// Text that fits the pattern, from end to end.
    Text(Regex),
}

/// How the arguments of a program are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Flags and operands in any order, `--` ends the flags.
    Gnu,
    /// Operands, then an expression.
    Find,
    /// Every argument is text.
    Any,
}

/// What a program may be given when it only reads.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) style: Style,
    pub(super) bare: BTreeSet<String>,
    pub(super) valued: BTreeMap<String, Type>,
    pub(super) optional: BTreeMap<String, Type>,
    pub(super) requires: BTreeSet<String>,
    pub(super) words: Vec<Vec<String>>,
    pub(super) first: Option<Type>,
    pub(super) first_by: BTreeSet<String>,
    pub(super) operands: Option<Type>,
    pub(super) least: usize,
    pub(super) most: usize,
    pub(super) marks: Marks,
}

/// Two habits of programs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    /// `-5` is a number of lines.
    pub(super) digits: bool,
    /// Without operands it looks at the working directory.
    pub(super) here: bool,
}

impl Rule {
    /// Every flag the rule knows.
    #[cfg(test)]
    pub(super) fn flags(&self) -> impl Iterator<Item = &String> {
        let valued = self.valued.keys().chain(self.optional.keys());
        self.bare.iter().chain(valued)
    }

    /// The paths that would be read, or why the call may do more than read.
    pub(super) fn accept<'a>(&self, arguments: &'a [String]) -> Result<Vec<&'a str>, String> {
        let mut reading = Reading {
            rule: self,
            flags: BTreeSet::new(),
            operands: Vec::new(),
            paths: Vec::new(),
        };
        match self.style {
            Style::Any => return Ok(Vec::new()),
            Style::Gnu => reading.gnu(arguments)?,
            Style::Find => reading.find(arguments)?,
        }
        reading.finish()
    }
}

struct Reading<'r, 'a> {
    rule: &'r Rule,
    flags: BTreeSet<&'r str>,
    operands: Vec<&'a str>,
    paths: Vec<&'a str>,
}

impl<'a> Reading<'_, 'a> {
    fn gnu(&mut self, arguments: &'a [String]) -> Result<(), String> {
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            if argument == "--" {
                self.operands.extend(rest.by_ref().map(String::as_str));
            } else if self.flag(argument) {
            } else if argument.starts_with("--") {
                self.long(argument, &mut rest)?;
            } else if argument.len() > 1 && argument.starts_with('-') {
                self.short(argument, &mut rest)?;
            } else {
                self.operands.push(argument);
            }
        }
        Ok(())
    }

    /// Takes a flag without a value.
    fn flag(&mut self, name: &str) -> bool {
        let known = self.rule.bare.get(name);
        self.flags.extend(known.map(String::as_str));
        known.is_some() || self.rule.optional.contains_key(name)
    }

    fn long(&mut self, argument: &'a str, rest: &mut Iter<'a, String>) -> Result<(), String> {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (argument, None),
        };
        if let (Some(kind), Some(value)) = (self.rule.optional.get(name), value) {
            return self.value(name, kind, value);
        }
        let Some((known, kind)) = self.rule.valued.get_key_value(name) else {
            return Err(unknown(name));
        };
        self.flags.insert(known);
        let value = value.or_else(|| rest.next().map(String::as_str));
        self.value(name, kind, value.ok_or_else(|| unfinished(name))?)
    }

    /// A run of one-letter flags; the last may have a value, right behind it or in the next word.
    fn short(&mut self, argument: &'a str, rest: &mut Iter<'a, String>) -> Result<(), String> {
        let letters = argument.strip_prefix('-').unwrap_or(argument);
        if self.rule.marks.digits && letters.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(());
        }
        let mut left = letters.chars();
        while let Some(letter) = left.next() {
            let name = format!("-{letter}");
            if self.flag(&name) {
                continue;
            }
            let Some((known, kind)) = self.rule.valued.get_key_value(&name) else {
                return Err(unknown(&name));
            };
            self.flags.insert(known);
            let value = match left.as_str() {
                "" => rest.next().map(String::as_str),
                value => Some(value),
            };
            return self.value(&name, kind, value.ok_or_else(|| unfinished(&name))?);
        }
        Ok(())
    }

    fn find(&mut self, arguments: &'a [String]) -> Result<(), String> {
        let leading = |argument: &&String| matches!(argument.as_str(), "-H" | "-P");
        let start = arguments.iter().take_while(leading).count();
        let mut rest = arguments.iter().skip(start).peekable();
        let opens = |word: &str| word.starts_with('-') || matches!(word, "(" | ")" | "!" | ",");
        while let Some(operand) = rest.next_if(|word| !opens(word)) {
            self.operands.push(operand);
        }
        while let Some(argument) = rest.next() {
            if self.flag(argument) {
                continue;
            }
            let Some(kind) = self.rule.valued.get(argument) else {
                return Err(unknown(argument));
            };
            let value = rest.next().ok_or_else(|| unfinished(argument))?;
            self.value(argument, kind, value)?;
        }
        Ok(())
    }

    /// Checks a value and remembers it when it is a path.
    fn value(&mut self, what: &str, kind: &Type, value: &'a str) -> Result<(), String> {
        match kind {
            Type::Text(pattern) if pattern.is_match(value) => Ok(()),
            Type::Text(_) => Err(format!("the value of {what} is not one that only reads")),
            // One that looks like a flag would be read as one by some program: `./-x` says it better.
            Type::Path if value.starts_with('-') || value.is_empty() => {
                Err(format!("{what} is not the path of a file"))
            }
            Type::Path => {
                self.paths.push(value);
                Ok(())
            }
        }
    }

    fn finish(mut self) -> Result<Vec<&'a str>, String> {
        let rule = self.rule;
        let has = |wanted: &BTreeSet<String>| {
            let mut wanted = wanted.iter().map(String::as_str);
            wanted.any(|flag| self.flags.contains(flag))
        };
        if !rule.requires.is_empty() && !has(&rule.requires) {
            return Err("a flag is missing without which it does more than read".into());
        }
        let first = rule.first.as_ref().filter(|_| !has(&rule.first_by));
        let operands = std::mem::take(&mut self.operands);
        let mut operands = rule.after_words(&operands)?.iter();
        if let Some(kind) = first {
            let operand = operands.next().ok_or("an operand is missing")?;
            self.value("the first operand", kind, operand)?;
        }
        let operands = operands.as_slice();
        if !(rule.least..=rule.most).contains(&operands.len()) {
            return Err("it has too few or too many operands".into());
        }
        for operand in operands {
            let kind = rule.operands.as_ref();
            let kind =
                kind.ok_or_else(|| format!("operand {operand:?} is not one that only reads"))?;
            self.value("an operand", kind, operand)?;
        }
        if rule.marks.here && operands.is_empty() {
            self.paths.push(".");
        }
        Ok(self.paths)
    }
}

impl Rule {
    /// The operands behind the longest of the rule's leading words that is there.
    fn after_words<'o, 'a>(&self, operands: &'o [&'a str]) -> Result<&'o [&'a str], String> {
        if self.words.is_empty() {
            return Ok(operands);
        }
        let starts = |words: &&Vec<String>| {
            let heads = operands.iter().zip(words.iter());
            operands.len() >= words.len() && heads.into_iter().all(|(is, want)| is == want)
        };
        let longest = self.words.iter().filter(starts).map(Vec::len).max();
        let longest = longest.ok_or("it is not a subcommand that only reads")?;
        Ok(operands.get(longest..).unwrap_or_default())
    }
}

fn unknown(flag: &str) -> String {
    format!("{flag:?} is not a flag that only reads")
}

fn unfinished(flag: &str) -> String {
    format!("{flag} has no value")
}
