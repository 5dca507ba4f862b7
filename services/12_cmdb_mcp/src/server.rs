//! A server as the local CMDB knows it, and the rules its fields keep.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::tool::ToolError;
use std::net::IpAddr;

/// Longest note, in bytes.
const MAX_NOTES: usize = 4096;
/// Longest other text, in bytes.
const MAX_TEXT: usize = 1024;

/// One server. This is the record callers see, so its fields are the catalogue's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    /// Host name by RFC 1123, unique without regard to case.
    #[schemars(length(min = 1, max = 253))]
    pub(crate) hostname: String,
    /// IPv4 or IPv6 address.
    #[schemars(length(min = 2, max = 45))]
    pub(crate) ip_address: String,
    /// Such as `linux` or `windows`.
    #[serde(default)]
    pub(crate) os_type: String,
    /// Such as `Debian 13`.
    #[serde(default)]
    pub(crate) os_version: String,
    /// Names of services, separated by `;`, `,` or `|`.
    #[serde(default)]
    pub(crate) services: String,
    /// Where the server keeps what it serves.
    #[serde(default)]
    pub(crate) path: String,
    /// Account for administration.
    #[serde(default)]
    pub(crate) user: String,
    /// How to get in. Not for passwords.
    #[serde(default)]
    pub(crate) ssh_access_notes: String,
}

/// A column of the CSV file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Column {
    /// See [`Server::hostname`].
    Hostname,
    /// See [`Server::ip_address`].
    IpAddress,
    /// See [`Server::os_type`].
    OsType,
    /// See [`Server::os_version`].
    OsVersion,
    /// See [`Server::services`].
    Services,
    /// See [`Server::path`].
    Path,
    /// See [`Server::user`].
    User,
    /// See [`Server::ssh_access_notes`].
    SshAccessNotes,
}

impl Column {
    /// Every column, in the order of the file.
    pub(crate) const ALL: [Self; 8] = [
        Self::Hostname,
        Self::IpAddress,
        Self::OsType,
        Self::OsVersion,
        Self::Services,
        Self::Path,
        Self::User,
        Self::SshAccessNotes,
    ];

    /// The name in the header.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hostname => "hostname",
            Self::IpAddress => "ip_address",
            Self::OsType => "os_type",
            Self::OsVersion => "os_version",
            Self::Services => "services",
            Self::Path => "path",
            Self::User => "user",
            Self::SshAccessNotes => "ssh_access_notes",
        }
    }

    /// Reads a name; `None` for another one.
    #[must_use]
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|column| column.name() == name)
    }
}

impl Server {
    /// The text of a column.
    #[must_use]
    pub(crate) fn get(&self, column: Column) -> &str {
        match column {
            Column::Hostname => &self.hostname,
            Column::IpAddress => &self.ip_address,
            Column::OsType => &self.os_type,
            Column::OsVersion => &self.os_version,
            Column::Services => &self.services,
            Column::Path => &self.path,
            Column::User => &self.user,
            Column::SshAccessNotes => &self.ssh_access_notes,
        }
    }

    /// Sets the text of a column; blanks around it are dropped.
    pub(crate) fn set(&mut self, column: Column, text: &str) {
        let field = match column {
            Column::Hostname => &mut self.hostname,
            Column::IpAddress => &mut self.ip_address,
            Column::OsType => &mut self.os_type,
            Column::OsVersion => &mut self.os_version,
            Column::Services => &mut self.services,
            Column::Path => &mut self.path,
            Column::User => &mut self.user,
            Column::SshAccessNotes => &mut self.ssh_access_notes,
        };
        text.trim().clone_into(field);
    }

    /// The services by name.
    pub(crate) fn service_names(&self) -> impl Iterator<Item = &str> {
        let names = self.services.split([';', ',', '|']).map(str::trim);
        names.filter(|name| !name.is_empty())
    }

    /// What keeps the row from being used: a bad host name or address. Other columns are free text.
    #[must_use]
    pub(crate) fn faults(&self) -> Vec<(Column, &'static str)> {
        let hostname = check_hostname(&self.hostname).err();
        let address = check_address(&self.ip_address).err();
        let hostname = hostname.map(|rule| (Column::Hostname, rule));
        let address = address.map(|rule| (Column::IpAddress, rule));
        hostname.into_iter().chain(address).collect()
    }

    /// Holds a record that is to be written against all rules; `under` is the argument it came in.
    ///
    /// # Errors
    /// `INVALID_INPUT` for the first field that breaks a rule.
    pub(crate) fn check(&self, under: &str) -> Result<(), ToolError> {
        let invalid = |column: Column, rule| {
            let field = format!("{under}.{}", column.name());
            Err(ToolError::invalid(&field, rule))
        };
        if let Some((column, rule)) = self.faults().into_iter().next() {
            return invalid(column, rule);
        }
        for column in Column::ALL {
            if let Some(rule) = text_fault(column, self.get(column)) {
                return invalid(column, rule);
            }
        }
        Ok(())
    }
}

/// Why a text cannot stand in a column; `None` when it can.
#[must_use]
pub(crate) fn text_fault(column: Column, text: &str) -> Option<&'static str> {
    let (limit, rule) = match column {
        Column::SshAccessNotes => (MAX_NOTES, "longer than 4096 bytes"),
        _ => (MAX_TEXT, "longer than 1024 bytes"),
    };
    if text.len() > limit {
        return Some(rule);
    }
    let breaks = |c: char| matches!(c, '\n' | '\t') && column == Column::SshAccessNotes;
    let odd = text.chars().any(|c| c.is_control() && !breaks(c));
    odd.then_some("holds control characters")
}

/// The key a host name is found by.
#[must_use]
pub(crate) fn key(hostname: &str) -> String {
    hostname.trim().to_ascii_lowercase()
}

fn check_hostname(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("is empty");
    }
    if name.len() > 253 {
        return Err("is longer than 253 characters");
    }
    if name.parse::<IpAddr>().is_ok() {
        return Err("is an address, not a host name");
    }
    let plain = |label: &str| {
        label
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let fits = |label: &str| {
        (1..=63).contains(&label.len())
            && plain(label)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    match name.split('.').all(fits) {
        true => Ok(()),
        false => Err("is not a host name by RFC 1123"),
    }
}

fn check_address(address: &str) -> Result<(), &'static str> {
    if address.is_empty() {
        return Err("is empty");
    }
    match address.parse::<IpAddr>() {
        Ok(_) => Ok(()),
        Err(_) => Err("is not an IPv4 or IPv6 address"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(hostname: &str, ip_address: &str) -> Server {
        Server {
            hostname: hostname.into(),
            ip_address: ip_address.into(),
            ..Server::default()
        }
    }

    /// Acceptance: 55
    #[test]
    fn host_names_follow_rfc_1123() {
        let long = format!("{}.example", "a".repeat(64));
        for (name, good) in [
            ("web1", true),
            ("WEB-01.example.org", true),
            ("3com", true),
            ("", false),
            ("-web", false),
            ("web-", false),
            ("web_1", false),
            ("a..b", false),
            ("web1.", false),
            ("wéb", false),
            ("10.0.0.1", false),
            (&long, false),
        ] {
            assert_eq!(server(name, "10.0.0.1").faults().is_empty(), good, "{name}");
        }
    }

    /// Acceptance: 55
    #[test]
    fn addresses_are_of_either_family() {
        for (address, good) in [
            ("10.0.0.1", true),
            ("2001:db8::1", true),
            ("", false),
            ("10.0.0.256", false),
            ("10.0.0.0/8", false),
            ("fe80::1%eth0", false),
            ("web1", false),
        ] {
            assert_eq!(
                server("web1", address).faults().is_empty(),
                good,
                "{address}"
            );
        }
    }

    #[test]
    fn what_is_written_holds_no_control_characters() {
        let mut record = server("web1", "10.0.0.1");
        record.ssh_access_notes = "first\nsecond".into();
        assert!(record.check("record").is_ok());
        record.user = "root\u{1b}[2J".into();
        let error = record.check("record").unwrap_err();
        assert_eq!(error.message, "record.user: holds control characters");
    }

    #[test]
    fn services_are_a_list() {
        let mut record = server("web1", "10.0.0.1");
        record.services = "nginx; PostgreSQL ,, redis|".into();
        let names: Vec<&str> = record.service_names().collect();
        assert_eq!(names, ["nginx", "PostgreSQL", "redis"]);
    }
}
