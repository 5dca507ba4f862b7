//! The servers of one CSV text, and what is wrong with its other rows.
//!
//! A bad row costs itself only. Nothing here touches a file.

use crate::server::{Column, Server, key};
use crate::sheet::{Sheet, SheetError, number};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;

/// Columns a file must have; the other ones of [`Column`] may be missing.
const REQUIRED: &[&str] = &["hostname", "ip_address"];

/// The usable servers, in the order of the file.
#[derive(Debug, Clone)]
pub(crate) struct Inventory {
    sheet: Sheet,
    servers: Vec<Placed>,
    by_key: HashMap<String, usize>,
    problems: Vec<Problem>,
}

#[derive(Debug, Clone)]
struct Placed {
    row: usize,
    server: Server,
}

/// Why a row is not used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct Problem {
    /// Row as a spreadsheet counts: the header is row 1.
    pub(crate) row: usize,
    /// Column, or `row` when the row as a whole is wrong.
    pub(crate) field: String,
    /// What is wrong.
    pub(crate) message: String,
}

impl Inventory {
    /// No servers.
    pub(crate) fn empty() -> Self {
        Self::of(Sheet::new(Column::ALL.map(Column::name)))
    }

    /// Reads a CSV text; one without a single byte is an inventory without servers.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, SheetError> {
        match text.is_empty() {
            true => Ok(Self::empty()),
            false => Sheet::parse(text, REQUIRED).map(Self::of),
        }
    }

    fn of(sheet: Sheet) -> Self {
        let mut inventory = Self {
            servers: Vec::with_capacity(sheet.len()),
            by_key: HashMap::with_capacity(sheet.len()),
            problems: Vec::new(),
            sheet,
        };
        for row in 0..inventory.sheet.len() {
            match inventory.read(row) {
                Ok(server) => {
                    let index = inventory.servers.len();
                    inventory.by_key.insert(key(&server.hostname), index);
                    inventory.servers.push(Placed { row, server });
                }
                Err(problems) => inventory.problems.extend(problems),
            }
        }
        inventory
    }

    fn read(&self, row: usize) -> Result<Server, Vec<Problem>> {
        let problem = |field: &str, message: String| Problem {
            row: number(row),
            field: field.to_owned(),
            message,
        };
        let (width, columns) = (self.sheet.width(row), self.sheet.columns());
        if width > columns {
            let message = format!("has {width} fields under {columns} columns");
            return Err(vec![problem("row", message)]);
        }
        let mut server = Server::default();
        for column in Column::ALL {
            match self.sheet.get(row, column.name()) {
                Some(text) => server.set(column, text),
                None => return Err(vec![problem(column.name(), "is not UTF-8 text".into())]),
            }
        }
        let mut problems: Vec<Problem> = server
            .faults()
            .into_iter()
            .map(|(column, rule)| problem(column.name(), rule.to_owned()))
            .collect();
        if let Some(first) = self.by_key.get(&key(&server.hostname))
            && let Some(first) = self.servers.get(*first)
        {
            let message = format!("is the same as in row {}", number(first.row));
            problems.push(problem("hostname", message));
        }
        match problems.is_empty() {
            true => Ok(server),
            false => Err(problems),
        }
    }

    /// Every usable server.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &Server> {
        self.servers.iter().map(|placed| &placed.server)
    }

    /// Every usable server with the number of its row, see [`Problem::row`].
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (usize, &Server)> {
        let placed = self.servers.iter();
        placed.map(|placed| (number(placed.row), &placed.server))
    }

    /// Number of usable servers.
    pub(crate) fn len(&self) -> usize {
        self.servers.len()
    }

    /// The server of this name, without regard to case.
    pub(crate) fn find(&self, hostname: &str) -> Option<&Server> {
        let index = self.by_key.get(&key(hostname))?;
        self.servers.get(*index).map(|placed| &placed.server)
    }

    /// What is wrong with the other rows; a row may have several.
    pub(crate) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Number of rows that are not used.
    pub(crate) fn rejected(&self) -> usize {
        self.sheet.len() - self.servers.len()
    }

    /// Writes a server in the row of the one called `hostname`, or in a new row when there is none.
    /// The record must keep the rules of [`Server::check`] and no other server may have its name.
    pub(crate) fn put(&mut self, hostname: &str, server: &Server) {
        let fields = Column::ALL.map(|column| (column.name(), server.get(column)));
        match self.by_key.get(&key(hostname)).copied() {
            Some(index) => {
                if let Some(placed) = self.servers.get_mut(index) {
                    self.sheet.set(placed.row, &fields);
                    placed.server = server.clone();
                }
                self.by_key.remove(&key(hostname));
                self.by_key.insert(key(&server.hostname), index);
            }
            None => {
                self.by_key
                    .insert(key(&server.hostname), self.servers.len());
                self.servers.push(Placed {
                    row: self.sheet.len(),
                    server: server.clone(),
                });
                self.sheet.add(&fields);
            }
        }
    }

    /// Drops a server; `false` when there is none of this name.
    pub(crate) fn remove(&mut self, hostname: &str) -> bool {
        let index = self.by_key.get(&key(hostname));
        let Some(gone) = index
            .and_then(|index| self.servers.get(*index))
            .map(|s| s.row)
        else {
            return false;
        };
        let mut sheet = self.sheet.clone();
        sheet.retain(|row| row != gone);
        *self = Self::of(sheet);
        true
    }

    /// The whole text.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, SheetError> {
        self.sheet.to_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "hostname,ip_address,os_type,owner\n\
                        web1,10.0.0.1,linux,ann\n\
                        ,10.0.0.2,linux,\n\
                        WEB1,10.0.0.3,linux,\n\
                        db1,10.0.0.999,linux,bob\n\
                        db2,2001:db8::2\n\
                        a,10.0.0.4,b,c,d\n";

    fn inventory() -> Inventory {
        Inventory::parse(TEXT.as_bytes()).unwrap()
    }

    /// Acceptance: 55
    #[test]
    fn bad_rows_are_named_by_number_and_good_rows_stay() {
        let inventory = inventory();
        let names: Vec<&str> = inventory.servers().map(|s| s.hostname.as_str()).collect();
        assert_eq!(names, ["web1", "db2"]);
        let problems: Vec<String> = inventory
            .problems()
            .iter()
            .map(|p| format!("{} {} {}", p.row, p.field, p.message))
            .collect();
        assert_eq!(
            problems,
            [
                "3 hostname is empty",
                "4 hostname is the same as in row 2",
                "5 ip_address is not an IPv4 or IPv6 address",
                "7 row has 5 fields under 4 columns",
            ]
        );
        assert_eq!(inventory.rejected(), 4);
    }

    #[test]
    fn a_change_leaves_the_other_rows_as_they_are() {
        let mut inventory = inventory();
        let mut server = inventory.find("Web1").unwrap().clone();
        server.hostname = "web9".into();
        server.user = "root".into();
        inventory.put("web1", &server);
        assert!(inventory.remove("db2"));
        assert!(!inventory.remove("db2"));
        let text = String::from_utf8(inventory.to_bytes().unwrap()).unwrap();
        assert_eq!(
            text,
            "hostname,ip_address,os_type,owner,user\n\
             web9,10.0.0.1,linux,ann,root\n\
             ,10.0.0.2,linux,\n\
             WEB1,10.0.0.3,linux,\n\
             db1,10.0.0.999,linux,bob\n\
             a,10.0.0.4,b,c,d\n"
        );
    }

    #[test]
    fn a_new_server_is_found_at_once_and_after_reading_again() {
        let mut inventory = Inventory::parse(b"").unwrap();
        let server = Server {
            hostname: "Web1".into(),
            ip_address: "::1".into(),
            services: "a,b".into(),
            ..Server::default()
        };
        inventory.put("Web1", &server);
        assert_eq!(inventory.find("web1"), Some(&server));
        let again = Inventory::parse(&inventory.to_bytes().unwrap()).unwrap();
        assert_eq!(again.find("WEB1"), Some(&server));
        assert_eq!((again.len(), again.rejected()), (1, 0));
    }
}
