//! Relations between servers, kept in a second CSV text beside the first.
//!
//! A relation is a sentence: `web1 depends_on db1`. Both ends must be known servers.

use crate::inventory::{Inventory, Problem};
use crate::server::key;
use crate::sheet::{Sheet, SheetError, number};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const COLUMNS: &[&str] = &["from", "relation", "to"];

/// How one server stands to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Does not work without it.
    DependsOn,
    /// Is a guest on it.
    RunsOn,
    /// Talks to it.
    ConnectsTo,
    /// Is part of a group it stands for.
    MemberOf,
    /// Holds copies of its data.
    BackupOf,
}

impl Kind {
    const ALL: [Self; 5] = [
        Self::DependsOn,
        Self::RunsOn,
        Self::ConnectsTo,
        Self::MemberOf,
        Self::BackupOf,
    ];

    /// The word in the file.
    #[must_use]
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::DependsOn => "depends_on",
            Self::RunsOn => "runs_on",
            Self::ConnectsTo => "connects_to",
            Self::MemberOf => "member_of",
            Self::BackupOf => "backup_of",
        }
    }
}

/// One relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Relation {
    /// Host name of the server the sentence is about.
    #[schemars(length(min = 1, max = 253))]
    pub(crate) from: String,
    /// How it stands to the other one.
    pub(crate) relation: Kind,
    /// Host name of the other one.
    #[schemars(length(min = 1, max = 253))]
    pub(crate) to: String,
}

impl Relation {
    /// Whether both say the same; case of names does not matter.
    fn is(&self, other: &Self) -> bool {
        self.relation == other.relation
            && key(&self.from) == key(&other.from)
            && key(&self.to) == key(&other.to)
    }

    /// Whether a server is one of the two.
    pub(crate) fn involves(&self, hostname: &str) -> bool {
        key(&self.from) == key(hostname) || key(&self.to) == key(hostname)
    }
}

/// The usable relations, in the order of the file.
#[derive(Debug, Clone)]
pub(crate) struct Relations {
    sheet: Sheet,
    /// With their rows.
    placed: Vec<(usize, Relation)>,
    problems: Vec<Problem>,
}

impl Relations {
    /// Reads a CSV text and holds it against the servers.
    pub(crate) fn parse(text: &[u8], servers: &Inventory) -> Result<Self, SheetError> {
        let sheet = match text.is_empty() {
            true => Sheet::new(COLUMNS.iter().copied()),
            false => Sheet::parse(text, COLUMNS)?,
        };
        let mut relations = Self {
            placed: Vec::with_capacity(sheet.len()),
            problems: Vec::new(),
            sheet,
        };
        for row in 0..relations.sheet.len() {
            match relations.read(row, servers) {
                Ok(relation) => relations.placed.push((row, relation)),
                Err((field, message)) => relations.problems.push(Problem {
                    row: number(row),
                    field: field.to_owned(),
                    message: message.to_owned(),
                }),
            }
        }
        Ok(relations)
    }

    fn read(
        &self,
        row: usize,
        servers: &Inventory,
    ) -> Result<Relation, (&'static str, &'static str)> {
        let text = |column: &'static str| {
            let text = self.sheet.get(row, column).map(str::trim);
            text.ok_or((column, "is not UTF-8 text"))
        };
        let word = text("relation")?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word);
        let relation = Relation {
            from: text("from")?.to_owned(),
            relation: kind.ok_or(("relation", "is none of the known words"))?,
            to: text("to")?.to_owned(),
        };
        for (field, name) in [("from", &relation.from), ("to", &relation.to)] {
            if servers.find(name).is_none() {
                return Err((field, "is not a known server"));
            }
        }
        Ok(relation)
    }

    /// Every usable relation.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Relation> {
        self.placed.iter().map(|(_, relation)| relation)
    }

    /// What is wrong with the other rows.
    pub(crate) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Whether the relation is known.
    pub(crate) fn contains(&self, relation: &Relation) -> bool {
        self.iter().any(|known| known.is(relation))
    }

    /// Adds a relation between known servers; `false` when it is there already.
    pub(crate) fn add(&mut self, relation: &Relation) -> bool {
        if self.contains(relation) {
            return false;
        }
        self.placed.push((self.sheet.len(), relation.clone()));
        self.sheet.add(&[
            ("from", &relation.from),
            ("relation", relation.relation.word()),
            ("to", &relation.to),
        ]);
        true
    }

    /// Drops a relation; `false` when it is not there.
    pub(crate) fn remove(&mut self, relation: &Relation) -> bool {
        self.drop_where(|known| known.is(relation)) > 0
    }

    /// Drops every relation of a server, and says how many there were.
    pub(crate) fn remove_all_of(&mut self, hostname: &str) -> usize {
        self.drop_where(|known| known.involves(hostname))
    }

    /// Follows a server to its new name, and says in how many relations it stands.
    pub(crate) fn rename(&mut self, from: &str, to: &str) -> usize {
        let old = key(from);
        let mut renamed = 0;
        for (row, relation) in self.placed.iter_mut().filter(|(_, r)| r.involves(from)) {
            renamed += 1;
            let ends = [("from", &mut relation.from), ("to", &mut relation.to)];
            for (column, end) in ends.into_iter().filter(|(_, end)| key(end) == old) {
                to.clone_into(end);
                self.sheet.set(*row, &[(column, to)]);
            }
        }
        renamed
    }

    /// The whole text.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, SheetError> {
        self.sheet.to_bytes()
    }

    fn drop_where(&mut self, gone: impl Fn(&Relation) -> bool) -> usize {
        let rows: Vec<usize> = self
            .placed
            .iter()
            .filter(|(_, relation)| gone(relation))
            .map(|(row, _)| *row)
            .collect();
        if rows.is_empty() {
            return 0;
        }
        self.sheet.retain(|row| !rows.contains(&row));
        self.placed.retain(|(row, _)| !rows.contains(row));
        for (row, _) in &mut self.placed {
            *row -= rows.iter().filter(|gone| **gone < *row).count();
        }
        rows.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVERS: &[u8] = b"hostname,ip_address\na,10.0.0.1\nb,10.0.0.2\nc,10.0.0.3\n";

    fn relations(text: &str) -> Relations {
        Relations::parse(text.as_bytes(), &Inventory::parse(SERVERS).unwrap()).unwrap()
    }

    fn relation(from: &str, relation: Kind, to: &str) -> Relation {
        Relation {
            from: from.into(),
            relation,
            to: to.into(),
        }
    }

    #[track_caller]
    fn check(edit: impl FnOnce(&mut Relations), expected: &str) {
        let mut some = relations("from,relation,to\na,runs_on,b\nx,runs_on,b\nb,depends_on,c\n");
        edit(&mut some);
        let text = String::from_utf8(some.to_bytes().unwrap()).unwrap();
        assert_eq!(text.strip_prefix("from,relation,to\n"), Some(expected));
    }

    #[test]
    fn relations_are_added_once_and_removed_with_their_server() {
        check(
            |all| {
                assert!(!all.add(&relation("A", Kind::RunsOn, "B")));
                assert!(all.add(&relation("c", Kind::BackupOf, "a")));
                assert!(all.remove(&relation("a", Kind::RunsOn, "b")));
                assert!(!all.remove(&relation("a", Kind::RunsOn, "b")));
            },
            "x,runs_on,b\nb,depends_on,c\nc,backup_of,a\n",
        );
        check(|all| assert_eq!(all.remove_all_of("B"), 2), "x,runs_on,b\n");
        check(
            |all| {
                assert_eq!(all.rename("b", "z"), 2);
                assert!(all.remove(&relation("z", Kind::DependsOn, "c")));
            },
            "a,runs_on,z\nx,runs_on,b\n",
        );
    }

    /// Acceptance: 55
    #[test]
    fn rows_about_strangers_are_named_by_number() {
        let some =
            relations("from,relation,to\na,likes,b\na,runs_on,x\nx,runs_on,a\na,runs_on,b\n");
        let problems: Vec<String> = some
            .problems()
            .iter()
            .map(|p| format!("{} {} {}", p.row, p.field, p.message))
            .collect();
        assert_eq!(
            problems,
            [
                "2 relation is none of the known words",
                "3 to is not a known server",
                "4 from is not a known server",
            ]
        );
        assert_eq!(some.iter().count(), 1);
    }
}
