//! Reads what is listened to and emitted.
//!
//! Correlating events with runs is left to the interpreter.

use super::fields::{Fields, Node, Reader};
use crate::dsl::model::{
    Consumption, Correlation, Expression, Filter, Iteration, Listen, Read, Until,
};
use serde_json::Value;

impl Reader<'_> {
    pub(super) fn emit(&mut self, node: &Node<'_>) -> Option<Value> {
        let fields = self.fields(node, &["event"])?;
        let event = self.need(&fields, "event")?;
        let event = self.fields(&event, &["with"])?;
        let with = self.need(&event, "with")?;
        let attributes = self.attributes(&with)?;
        for name in ["source", "type"] {
            self.need(&attributes, name);
        }
        Some(with.value.clone())
    }

    pub(super) fn listen(&mut self, task: &Fields<'_>, node: &Node<'_>) -> Option<Listen> {
        let fields = self.fields(node, &["to", "read"])?;
        let to = self
            .need(&fields, "to")
            .and_then(|it| self.consumption(&it));
        let words = [
            ("data", Read::Data),
            ("envelope", Read::Envelope),
            ("raw", Read::Raw),
        ];
        let read = fields.get("read").and_then(|it| self.word(&it, &words));
        let each = task.get("foreach").and_then(|it| self.iteration(&it));
        Some(Listen {
            to: to?,
            read: read.unwrap_or_default(),
            each,
        })
    }

    fn iteration(&mut self, node: &Node<'_>) -> Option<Iteration> {
        let fields = self.fields(node, &["item", "at", "do", "output", "export"])?;
        let item = self.variable(fields.get("item").as_ref(), "item");
        let at = self.variable(fields.get("at").as_ref(), "index");
        self.locals.extend([item.clone(), at.clone()]);
        let tasks = fields.get("do").and_then(|it| self.task_list(&it));
        let output = self.validated(fields.get("output").as_ref(), "as");
        let export = self.validated(fields.get("export").as_ref(), "as");
        self.locals.truncate(self.locals.len().saturating_sub(2));
        Some(Iteration {
            item,
            at,
            tasks: tasks.unwrap_or_default(),
            output,
            export,
        })
    }

    /// Which events, and when they are enough.
    pub(super) fn consumption(&mut self, node: &Node<'_>) -> Option<Consumption> {
        let fields = self.fields(node, &["all", "any", "one", "until"])?;
        let (name, inner) = self.one_of(&fields, &["all", "any", "one"])?;
        if name != "any" && fields.map.contains_key("until") {
            let message = format!("until goes with any, not with {name}");
            self.complain("ambiguous", &format!("{}/until", node.pointer), message);
        }
        match name {
            "one" => self.filter(&inner).map(Consumption::One),
            "all" => {
                let filters = self.filters(&inner)?;
                if filters.is_empty() {
                    self.complain("empty", &inner.pointer, "there is nothing to wait for");
                }
                Some(Consumption::All(filters))
            }
            _ => Some(Consumption::Any {
                filters: self.filters(&inner)?,
                until: fields.get("until").and_then(|it| self.until(&it)),
            }),
        }
    }

    fn until(&mut self, node: &Node<'_>) -> Option<Until> {
        if node.value.is_string() {
            return self.expression(node).map(Until::Condition);
        }
        let fields = self.object(node)?;
        if let Some(nested) = fields.get("until") {
            let message = "until cannot stand inside until";
            self.complain("ambiguous", &nested.pointer, message);
        }
        let events = self.consumption(node)?;
        Some(Until::Events(Box::new(events)))
    }

    fn filters(&mut self, node: &Node<'_>) -> Option<Vec<Filter>> {
        let items = self.list(node)?;
        Some(items.iter().filter_map(|it| self.filter(it)).collect())
    }

    fn filter(&mut self, node: &Node<'_>) -> Option<Filter> {
        let fields = self.fields(node, &["with", "correlate"])?;
        let with = self.need(&fields, "with")?;
        let attributes = self.attributes(&with)?;
        if attributes.map.is_empty() {
            let message = "the filter is empty; name at least the type of the event";
            self.complain("empty", &with.pointer, message);
        }
        let correlate = fields
            .get("correlate")
            .and_then(|it| self.correlations(&it));
        Some(Filter {
            with: attributes.map.clone(),
            correlate: correlate.unwrap_or_default(),
        })
    }

    fn correlations(&mut self, node: &Node<'_>) -> Option<Vec<(String, Correlation)>> {
        let fields = self.object(node)?;
        let mut all = Vec::new();
        for (name, inner) in fields.all() {
            let inner = self.fields(&inner, &["from", "expect"])?;
            let from = self
                .need(&inner, "from")
                .and_then(|it| self.expression(&it));
            let expect = self.phrase(inner.get("expect").as_ref());
            if let Some(from) = from {
                all.push((name.to_owned(), Correlation { from, expect }));
            }
        }
        Some(all)
    }

    /// Attributes of an event, with their types checked.
    fn attributes<'v>(&mut self, node: &Node<'v>) -> Option<Fields<'v>> {
        let fields = self.object(node)?;
        for (name, field) in fields.all() {
            match name {
                "source" | "dataschema" => {
                    self.uri(&field);
                }
                "time" => self.time(&field),
                "id" | "type" | "subject" | "datacontenttype" => {
                    self.phrase(Some(&field));
                }
                _ => {
                    self.template(&field);
                }
            }
        }
        Some(fields)
    }

    fn time(&mut self, node: &Node<'_>) {
        let Some(text) = self.phrase(Some(node)) else {
            return;
        };
        if Expression::inside(&text).is_none() && text.parse::<jiff::Timestamp>().is_err() {
            let message = format!("{text:?} is no time; write 2030-01-31T12:00:00Z");
            self.complain("bad_time", &node.pointer, message);
        }
    }
}
