//! Encoded queries of the Table API, from parts that cannot break out of their place.

use shared::tool::ToolError;

/// Longest value of a condition, in bytes.
const MAX_VALUE: usize = 1024;

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query {
    /// See [`is_table`].
    pub(crate) table: String,
    /// All of them must hold.
    pub(crate) conditions: Vec<Condition>,
    /// Fields of the answer; empty means all.
    pub(crate) fields: Vec<String>,
    /// Most records.
    pub(crate) limit: usize,
}

/// One condition, as text of an encoded query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition(String);

impl Condition {
    /// `field operator value`; `argument` names the value in errors.
    ///
    /// # Errors
    /// `INVALID_INPUT` for a value the query language gives a meaning of its own.
    pub(crate) fn new(
        field: &str,
        operator: &'static str,
        value: &str,
        argument: &str,
    ) -> Result<Self, ToolError> {
        Ok(Self(format!(
            "{field}{operator}{}",
            quoted(value, argument)?
        )))
    }

    /// `field` is one of `values`.
    ///
    /// # Errors
    /// As [`Condition::new`], and for a comma in a value, which cannot be written.
    pub(crate) fn one_of(
        field: &str,
        values: &[String],
        argument: &str,
    ) -> Result<Self, ToolError> {
        let mut quoted_values = Vec::with_capacity(values.len());
        for value in values {
            if value.contains(',') {
                return Err(ToolError::invalid(argument, "a value holds a comma"));
            }
            quoted_values.push(quoted(value, argument)?);
        }
        Ok(Self(format!("{field}IN{}", quoted_values.join(","))))
    }
}

impl Query {
    /// The text of `sysparm_query`, in a stable order.
    pub(crate) fn text(&self) -> String {
        let conditions = self.conditions.iter().map(|condition| condition.0.as_str());
        let mut parts: Vec<&str> = conditions.collect();
        parts.push("ORDERBYsys_id");
        parts.join("^")
    }
}

/// Whether a table belongs to the CMDB: other tables are not for these tools.
pub(crate) fn is_table(name: &str) -> bool {
    is_field(name)
        && ["cmdb", "u_cmdb"]
            .iter()
            .any(|start| name.starts_with(start))
}

/// Whether a text is a name of the Table API.
pub(crate) fn is_field(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    (1..=80).contains(&name.len()) && name.bytes().all(plain)
}

/// `^` separates conditions and is written twice; `javascript:` would be run by the server.
fn quoted(value: &str, argument: &str) -> Result<String, ToolError> {
    if value.len() > MAX_VALUE {
        return Err(ToolError::invalid(argument, "longer than 1024 bytes"));
    }
    if value.chars().any(char::is_control) {
        return Err(ToolError::invalid(argument, "holds control characters"));
    }
    if value.to_ascii_lowercase().contains("javascript:") {
        return Err(ToolError::invalid(argument, "holds a script"));
    }
    Ok(value.replace('^', "^^"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_add_a_condition_or_run_a_script() {
        let query = Query {
            table: "cmdb_ci".into(),
            conditions: vec![
                Condition::new("name", "=", "a^nameISNOTEMPTY", "x").unwrap(),
                Condition::one_of("os", &["b".into(), "c^d".into()], "x").unwrap(),
            ],
            fields: Vec::new(),
            limit: 1,
        };
        assert_eq!(
            query.text(),
            "name=a^^nameISNOTEMPTY^osINb,c^^d^ORDERBYsys_id"
        );
        for value in [
            "JavaScript:gs.log(1)",
            " javascript:x",
            "a\nb",
            &"x".repeat(1025),
        ] {
            assert!(Condition::new("name", "=", value, "x").is_err(), "{value}");
        }
        assert!(Condition::one_of("os", &["a,b".into()], "x").is_err());
    }

    #[test]
    fn tables_of_the_cmdb_only() {
        for (name, good) in [
            ("cmdb_ci", true),
            ("cmdb_ci_server", true),
            ("u_cmdb_extra", true),
            ("sys_user", false),
            ("cmdb_ci/../sys_user", false),
            ("CMDB_CI", false),
            ("", false),
        ] {
            assert_eq!(is_table(name), good, "{name}");
        }
    }
}
