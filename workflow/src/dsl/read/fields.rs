//! What the readers of parts have in common: values with their place, and complaints about them.
//!
//! A reader that cannot go on gives `None` after complaining, so that one document gets all its
//! complaints at once.

use crate::dsl::text::{Places, escaped};
use crate::dsl::{Catalogue, Complaint};
use crate::expression::Expressions;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

use super::uses::Named;
use crate::dsl::model::Pin;

/// Most complaints about one document.
const MAX_COMPLAINTS: usize = 100;

/// A document that is being read.
pub(super) struct Reader<'a> {
    pub(super) catalogue: &'a dyn Catalogue,
    pub(super) expressions: &'a Expressions,
    pub(super) places: &'a Places,
    pub(super) complaints: Vec<Complaint>,
    /// Variables of loops and handlers around the place that is read.
    pub(super) locals: Vec<String>,
    /// What stands under `use`.
    pub(super) named: Named,
    /// Tools called so far.
    pub(super) tools: BTreeMap<String, Pin>,
    /// Tasks read so far.
    pub(super) tasks: usize,
}

/// A value and where it stands.
#[derive(Clone)]
pub(super) struct Node<'v> {
    pub(super) value: &'v Value,
    pub(super) pointer: String,
}

/// An object and where it stands.
pub(super) struct Fields<'v> {
    pub(super) map: &'v Map<String, Value>,
    pub(super) pointer: String,
}

impl<'v> Fields<'v> {
    /// A field; `None` when it is absent.
    pub(super) fn get(&self, name: &str) -> Option<Node<'v>> {
        self.map.get(name).map(|value| Node {
            value,
            pointer: format!("{}/{}", self.pointer, escaped(name)),
        })
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (&'v str, Node<'v>)> {
        let node = |(name, value): (&'v String, &'v Value)| {
            let pointer = format!("{}/{}", self.pointer, escaped(name));
            (name.as_str(), Node { value, pointer })
        };
        self.map.iter().map(node)
    }
}

impl Reader<'_> {
    pub(super) fn complain(
        &mut self,
        code: &'static str,
        pointer: &str,
        message: impl Into<String>,
    ) {
        if self.complaints.len() < MAX_COMPLAINTS {
            self.complaints.push(Complaint {
                code,
                pointer: pointer.to_owned(),
                line: self.places.line(pointer),
                message: message.into(),
            });
        }
    }

    fn wrong_kind<T>(&mut self, node: &Node<'_>, wanted: &str) -> Option<T> {
        let found = match node.value {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        let message = format!("here should be {wanted}, not {found}");
        self.complain("wrong_type", &node.pointer, message);
        None
    }

    /// An object of any fields.
    pub(super) fn object<'v>(&mut self, node: &Node<'v>) -> Option<Fields<'v>> {
        match node.value {
            Value::Object(map) => Some(Fields {
                map,
                pointer: node.pointer.clone(),
            }),
            _ => self.wrong_kind(node, "an object"),
        }
    }

    /// An object of these fields only.
    pub(super) fn fields<'v>(&mut self, node: &Node<'v>, known: &[&str]) -> Option<Fields<'v>> {
        let fields = self.object(node)?;
        self.known(&fields, known, "unknown_key");
        Some(fields)
    }

    /// Complains about fields that are none of these.
    pub(super) fn known(&mut self, fields: &Fields<'_>, known: &[&str], code: &'static str) {
        for (name, node) in fields.all() {
            if !known.contains(&name) {
                let message = match nearest(name, known) {
                    Some(near) => format!("{name} is not known here; did you mean {near}?"),
                    None => format!("{name} is not known here; known are {}", known.join(", ")),
                };
                self.complain(code, &node.pointer, message);
            }
        }
    }

    /// A field that must be there.
    pub(super) fn need<'v>(&mut self, fields: &Fields<'v>, name: &str) -> Option<Node<'v>> {
        let found = fields.get(name);
        if found.is_none() {
            self.complain("missing_key", &fields.pointer, format!("{name} is missing"));
        }
        found
    }

    /// The one of these fields that is there.
    pub(super) fn one_of<'v>(
        &mut self,
        fields: &Fields<'v>,
        names: &[&'static str],
    ) -> Option<(&'static str, Node<'v>)> {
        let present = names.iter().filter(|name| fields.map.contains_key(**name));
        let present: Vec<&'static str> = present.copied().collect();
        match present.as_slice() {
            [name] => fields.get(name).map(|node| (*name, node)),
            [] => {
                let message = format!("one of {} is missing", names.join(", "));
                self.complain("missing_choice", &fields.pointer, message);
                None
            }
            several => {
                let message = format!("only one of {} can be given", several.join(", "));
                self.complain("ambiguous", &fields.pointer, message);
                None
            }
        }
    }

    pub(super) fn text<'v>(&mut self, node: &Node<'v>) -> Option<&'v str> {
        match node.value {
            Value::String(text) => Some(text),
            _ => self.wrong_kind(node, "a text"),
        }
    }

    pub(super) fn owned(&mut self, node: Option<&Node<'_>>) -> Option<String> {
        self.text(node?).map(str::to_owned)
    }

    pub(super) fn flag(&mut self, node: Option<&Node<'_>>) -> Option<bool> {
        match node?.value {
            Value::Bool(flag) => Some(*flag),
            _ => self.wrong_kind(node?, "true or false"),
        }
    }

    /// A whole number within bounds.
    pub(super) fn whole(&mut self, node: &Node<'_>, least: i64, most: i64) -> Option<i64> {
        let found = node.value.as_i64().or_else(|| match node.value.as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "whole and small")]
            Some(it) if it.fract() == 0.0 && it.abs() < 1e15 => Some(it as i64),
            _ => None,
        });
        let Some(number) = found else {
            return self.wrong_kind(node, "a whole number");
        };
        if number < least || number > most {
            let message = match most {
                i64::MAX => format!("{number} is too small; at least {least}"),
                _ => format!("{number} is out of range; {least} to {most}"),
            };
            self.complain("out_of_range", &node.pointer, message);
            return None;
        }
        Some(number)
    }

    pub(super) fn list<'v>(&mut self, node: &Node<'v>) -> Option<Vec<Node<'v>>> {
        let Value::Array(items) = node.value else {
            return self.wrong_kind(node, "a list");
        };
        let item = |(index, value)| Node {
            value,
            pointer: format!("{}/{index}", node.pointer),
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    pub(super) fn texts(&mut self, node: &Node<'_>) -> Option<Vec<String>> {
        let items = self.list(node)?;
        let texts = items.iter().filter_map(|item| self.owned(Some(item)));
        Some(texts.collect())
    }

    /// One word of a closed set.
    pub(super) fn word<T: Copy>(&mut self, node: &Node<'_>, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(node)?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*meaning);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let message = format!("{text:?} is not possible here; one of {}", known.join(", "));
        self.complain("unknown_value", &node.pointer, message);
        None
    }

    /// The entries of a list whose items are objects of one field each.
    pub(super) fn entries<'v>(&mut self, node: &Node<'v>) -> Option<Vec<(&'v str, Node<'v>)>> {
        let items = self.list(node)?;
        let entries = items.iter().filter_map(|item| self.entry(item));
        Some(entries.collect())
    }

    fn entry<'v>(&mut self, item: &Node<'v>) -> Option<(&'v str, Node<'v>)> {
        let fields = self.object(item)?;
        let mut all = fields.all();
        match (all.next(), all.next()) {
            (Some(only), None) => Some(only),
            _ => {
                let message =
                    "an item is an object with one key, its name; indent what belongs to it";
                self.complain("bad_item", &item.pointer, message);
                None
            }
        }
    }
}

/// The known name a wrong one was probably meant to be.
pub(super) fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let near = known.iter().map(|it| (distance(name, it), *it));
    let (far, best) = near.min_by_key(|(far, _)| *far)?;
    (far <= 1 + name.len() / 5).then_some(best)
}

/// How many letters must be added, removed or replaced; letters of other case count nothing.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, letter) in left.to_lowercase().chars().take(64).enumerate() {
        let mut next = vec![index + 1];
        for ((other, above), corner) in right.iter().zip(row.iter().skip(1)).zip(&row) {
            let replaced = corner + usize::from(*other != letter);
            let beside = next.last().map_or(replaced, |it| it + 1);
            next.push(replaced.min(above + 1).min(beside));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
