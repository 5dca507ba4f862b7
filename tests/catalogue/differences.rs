//! One tool as the catalogue has it against one tool as a service describes it.
//!
//! Further optional parameters and further fields of a result are no difference.

use crate::described::Described;
use crate::schema::Shape;
use ::tests::catalogue::{Effect, Field, Fields, Kind, Row, Table};
use serde_json::Value;

/// Shortest description that can say what a tool is for.
const MIN_DESCRIPTION: usize = 20;
/// Largest `limit` of any list.
const MAX_LIMIT: i64 = 1000;

/// Every difference of one tool, as `(field, what is wrong)`; the field is empty when it is the tool.
pub(crate) fn of(table: &Table, row: &Row, tool: &Described) -> Vec<(String, String)> {
    let mut found = Differences {
        table,
        found: Vec::new(),
    };
    found.marks(row, tool);
    found.parameters(row, tool);
    found.texts(tool);
    found.result(row, tool);
    found.found
}

/// The effect as a service says it: a word, and whether the arguments decide.
pub(crate) const fn effect_words(effect: Effect) -> (&'static str, bool) {
    match effect {
        Effect::Read => ("read", false),
        Effect::MutateOwn => ("mutate_own", false),
        Effect::Mutate => ("mutate", false),
        Effect::PerCall => ("mutate", true),
        Effect::Critical => ("critical", false),
    }
}

struct Differences<'a> {
    table: &'a Table,
    found: Vec<(String, String)>,
}

impl Differences<'_> {
    fn say(&mut self, field: &str, what: impl Into<String>) {
        self.found.push((field.to_owned(), what.into()));
    }

    fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, wanted: T, is: T) {
        if wanted != is {
            self.say(
                "",
                format!("{what} is {is:?}, the catalogue says {wanted:?}"),
            );
        }
    }

    fn marks(&mut self, row: &Row, tool: &Described) {
        let effect = effect_words(row.effect);
        self.same("effect", effect, (tool.effect.as_str(), tool.per_call));
        self.same("idempotent", row.idempotent, tool.idempotent);
        self.same("long-running", row.long_running, tool.long_running);
        self.same("open world", row.open_world, tool.open_world);
        let last = row.id.rsplit('.').next().unwrap_or_default();
        match row.effect {
            Effect::Critical => self.same("destructive", true, tool.destructive),
            Effect::Read => self.same("destructive", false, tool.destructive),
            _ if last.starts_with("delete") => self.same("destructive", true, tool.destructive),
            _ => {}
        }
        for alias in &row.aliases {
            if !tool.aliases.contains(alias) {
                self.say("", format!("is not called {alias}"));
            }
        }
    }

    fn texts(&mut self, tool: &Described) {
        if tool.description.chars().count() < MIN_DESCRIPTION {
            self.say("", format!("is described by {:?} only", tool.description));
        }
        for (name, schema) in tool.parameters() {
            if schema["description"].as_str().is_none_or(str::is_empty) {
                self.say(name, "the parameter has no description");
            }
        }
    }

    fn parameters(&mut self, row: &Row, tool: &Described) {
        self.same(
            "additionalProperties",
            &Value::Bool(false),
            &tool.input["additionalProperties"],
        );
        for (name, field) in &row.parameters {
            match tool.input["properties"].get(name) {
                None => self.say(name, "the parameter is missing"),
                Some(schema) => self.parameter(name, field, schema, tool),
            }
        }
        for (name, _) in tool.parameters() {
            if !row.parameters.contains_key(name) && tool.requires(name) {
                self.say(name, "is required and not in the catalogue");
            }
        }
    }

    fn parameter(&mut self, name: &str, field: &Field, schema: &Value, tool: &Described) {
        if tool.requires(name) == field.optional {
            self.say(name, format!("required is {}", tool.requires(name)));
        }
        let default = schema.get("default").filter(|default| !default.is_null());
        if default != field.default.as_ref() {
            self.say(
                name,
                format!("the default is {default:?}, not {:?}", field.default),
            );
        }
        let shape = Shape::of(schema);
        if !field.words.is_empty() && sorted(shape.words()) != sorted(field.words.clone()) {
            self.say(name, format!("takes the words {:?}", shape.words()));
        }
        if name == "limit"
            && schema["maximum"]
                .as_i64()
                .is_none_or(|most| most > MAX_LIMIT)
        {
            self.say(name, format!("has no maximum of at most {MAX_LIMIT}"));
        }
        self.kind(name, &field.kind, &shape, Side::Parameter);
    }

    fn result(&mut self, row: &Row, tool: &Described) {
        let shape = Shape::of(&tool.output);
        self.fields("", &row.result, &shape, Side::Result);
        if let Some(values) = &row.result_map {
            let values = Kind::Map(Box::new(values.kind.clone()));
            self.kind("", &values, &shape, Side::Result);
        }
        let is_list = |field: &Field| matches!(field.kind, Kind::List(_));
        if row.result.values().any(is_list)
            && shape
                .property("count")
                .is_none_or(|count| !Shape::of(count).is("integer"))
        {
            self.say("count", "a result with a list has no count:int");
        }
    }

    /// Fields of an object; those of a parameter's object need no further marks.
    fn fields(&mut self, at: &str, fields: &Fields, shape: &Shape<'_>, side: Side) {
        for (name, field) in fields {
            let path = if at.is_empty() {
                name.clone()
            } else {
                format!("{at}.{name}")
            };
            let written = side == Side::Parameter || field.optional || shape.requires(name);
            match shape.property(name) {
                Some(_) if !written => self.say(&path, "may be absent"),
                Some(schema) => self.field(&path, field, &Shape::of(schema), side),
                None if shape.is_open() => {}
                None => self.say(&path, "is missing"),
            }
        }
    }

    fn field(&mut self, path: &str, field: &Field, shape: &Shape<'_>, side: Side) {
        let words = shape.words();
        if !field.words.is_empty() && words.iter().any(|word| !field.words.contains(word)) {
            self.say(path, format!("may be one of {words:?}"));
        }
        if side == Side::Result && !field.optional && shape.is_nullable() {
            self.say(path, "may be null");
        }
        self.kind(path, &field.kind, shape, side);
    }

    fn kind(&mut self, at: &str, kind: &Kind, shape: &Shape<'_>, side: Side) {
        let wanted = match kind {
            Kind::Any => return,
            Kind::Text | Kind::Time => "string",
            Kind::Integer => "integer",
            Kind::Number => "number",
            Kind::Boolean => "boolean",
            Kind::List(_) => "array",
            Kind::Map(_) | Kind::Named(_) => "object",
        };
        if !shape.is(wanted) {
            return self.say(at, format!("is {:?}, not {wanted}", shape.types()));
        }
        match kind {
            Kind::List(inner) => self.kind(&format!("{at}[]"), inner, &shape.items(), side),
            Kind::Map(inner) => self.kind(&format!("{at}{{}}"), inner, &shape.values(), side),
            Kind::Named(name) => self.fields(at, self.table.named(name), shape, side),
            _ => {}
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Parameter,
    Result,
}

fn sorted(mut words: Vec<String>) -> Vec<String> {
    words.sort();
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn described() -> Described {
        Described {
            id: "cmdb.local.deleteServer".into(),
            description: "Remove a server from the local CMDB.".into(),
            input: json!({
                "type": "object",
                "properties": {"hostname": {"type": "string", "description": "Its name."}},
                "required": ["hostname"],
                "additionalProperties": false,
            }),
            output: json!({
                "type": "object",
                "properties": {"deleted": {"type": "boolean"}, "backup_path": {"type": "string"}},
                "required": ["deleted", "backup_path"],
            }),
            effect: "mutate".into(),
            per_call: false,
            idempotent: true,
            long_running: false,
            destructive: true,
            open_world: false,
            aliases: Vec::new(),
        }
    }

    fn check(change: impl FnOnce(&mut Described)) -> Vec<String> {
        let table = Table::of(12);
        let mut tool = described();
        change(&mut tool);
        let row = table.row("cmdb.local.deleteServer").unwrap();
        of(&table, row, &tool)
            .into_iter()
            .map(|(field, what)| format!("{field} {what}"))
            .collect()
    }

    #[test]
    fn a_tool_as_in_the_catalogue_has_no_difference() {
        assert_eq!(check(|_| {}), Vec::<String>::new());
        let more = check(|tool| {
            tool.input["properties"]["dry_run"] =
                json!({"type": "boolean", "description": "Only look."});
            tool.output["properties"]["more"] = json!({"type": "integer"});
        });
        assert_eq!(more, Vec::<String>::new());
    }

    #[test]
    fn each_difference_is_found() {
        let one = |change: fn(&mut Described)| assert_eq!(check(change).len(), 1);
        one(|tool| tool.effect = "read".into());
        one(|tool| tool.idempotent = false);
        one(|tool| tool.long_running = true);
        one(|tool| tool.destructive = false);
        one(|tool| tool.open_world = true);
        one(|tool| tool.per_call = true);
        one(|tool| tool.description = "Remove.".into());
        one(|tool| tool.input["properties"]["hostname"]["type"] = json!("integer"));
        one(|tool| tool.input["properties"]["hostname"]["default"] = json!("web1"));
        one(|tool| tool.input["properties"]["hostname"]["description"] = json!(""));
        one(|tool| tool.input["required"] = json!([]));
        one(|tool| tool.input["additionalProperties"] = json!(true));
        one(|tool| tool.output["properties"]["deleted"]["type"] = json!("string"));
        one(|tool| tool.output["properties"]["deleted"]["type"] = json!(["boolean", "null"]));
        one(|tool| tool.output["required"] = json!(["backup_path"]));
        one(|tool| {
            tool.input["properties"]["more"] = json!({"type": "string", "description": "More."});
            tool.input["required"] = json!(["hostname", "more"]);
        });
        one(|tool| {
            let properties = tool.output["properties"].as_object_mut().unwrap();
            properties.remove("deleted");
        });
    }
}
