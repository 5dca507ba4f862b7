//! Reads errors: raising, catching, trying again.
//!
//! References into `use` are replaced here.

use super::data::absolute;
use super::fields::{Fields, Node, Reader};
use crate::dsl::model::{
    Backoff, Catch, ErrorFilter, Expression, Fault, Jitter, Length, Limit, Retry, Try,
};
use serde_json::Value;

impl Reader<'_> {
    /// An error as `raise` and `use.errors` write it.
    pub(super) fn fault(&mut self, node: &Node<'_>) -> Option<Fault> {
        let known = &["type", "status", "instance", "title", "detail"];
        let fields = self.fields(node, known)?;
        let kind = self.need(&fields, "type");
        let status = self.need(&fields, "status");
        let kind = kind.and_then(|it| self.error_type(&it));
        let status = status.and_then(|it| self.whole(&it, i64::MIN, i64::MAX));
        let instance = self.instance(&fields);
        let title = self.phrase(fields.get("title").as_ref());
        let detail = self.phrase(fields.get("detail").as_ref());
        Some(Fault {
            kind: kind?,
            status: status?,
            instance,
            title,
            detail,
        })
    }

    /// An error, or the name of one in `use.errors`.
    pub(super) fn fault_or_name(&mut self, node: &Node<'_>) -> Option<Fault> {
        let Value::String(name) = node.value else {
            return self.fault(node);
        };
        let found = self.named.errors.get(name).cloned();
        if found.is_none() {
            self.not_named("unknown_error", node, "errors", name);
        }
        found.flatten()
    }

    fn error_type(&mut self, node: &Node<'_>) -> Option<String> {
        let text = self.text(node)?;
        if Expression::inside(text).is_some() {
            self.template(node);
        } else if !absolute(text) {
            let message =
                format!("{text:?} is no error type; it is an address with scheme and ://");
            self.complain("bad_uri", &node.pointer, message);
            return None;
        }
        Some(text.to_owned())
    }

    fn instance(&mut self, fields: &Fields<'_>) -> Option<String> {
        let node = fields.get("instance")?;
        let text = self.phrase(Some(&node))?;
        if Expression::inside(&text).is_none() && !text.is_empty() && !text.starts_with('/') {
            let message = format!("{text:?} is no JSON pointer; it begins with /");
            self.complain("bad_pointer", &node.pointer, message);
        }
        Some(text)
    }

    /// A text that may be an expression in `${ }`.
    pub(super) fn phrase(&mut self, node: Option<&Node<'_>>) -> Option<String> {
        let node = node?;
        let text = self.text(node)?;
        self.template(node);
        Some(text.to_owned())
    }

    pub(super) fn try_task(&mut self, fields: &Fields<'_>, list: &Node<'_>) -> Option<Try> {
        let tasks = self.task_list(list);
        let catch = self.need(fields, "catch");
        let catch = catch.and_then(|it| self.catch(&it));
        Some(Try {
            tasks: tasks?,
            catch: catch?,
        })
    }

    fn catch(&mut self, node: &Node<'_>) -> Option<Catch> {
        let known = &["errors", "as", "when", "exceptWhen", "retry", "do"];
        let fields = self.fields(node, known)?;
        let errors = fields.get("errors").and_then(|it| self.error_filter(&it));
        let as_ = self.variable(fields.get("as").as_ref(), "error");
        self.locals.push(as_.clone());
        let when = self.condition(fields.get("when").as_ref());
        let except_when = self.condition(fields.get("exceptWhen").as_ref());
        let retry = fields.get("retry").and_then(|it| self.retry_or_name(&it));
        let tasks = fields.get("do").and_then(|it| self.task_list(&it));
        self.locals.pop();
        Some(Catch {
            errors,
            as_,
            when,
            except_when,
            retry,
            tasks: tasks.unwrap_or_default(),
        })
    }

    fn error_filter(&mut self, node: &Node<'_>) -> Option<ErrorFilter> {
        let outer = self.fields(node, &["with"])?;
        let with = outer.get("with")?;
        let fields = self.object(&with)?;
        if fields.map.is_empty() {
            let message = "the filter is empty; leave it out to catch every error";
            self.complain("empty", &with.pointer, message);
        }
        let mut filter = ErrorFilter::default();
        for (name, field) in fields.all() {
            match name {
                "type" => filter.kind = self.owned(Some(&field)),
                "status" => filter.status = self.whole(&field, i64::MIN, i64::MAX),
                "instance" => filter.instance = self.owned(Some(&field)),
                "title" => filter.title = self.owned(Some(&field)),
                "details" => filter.details = self.owned(Some(&field)),
                other => filter.others.push((other.to_owned(), field.value.clone())),
            }
        }
        Some(filter)
    }

    fn retry_or_name(&mut self, node: &Node<'_>) -> Option<Retry> {
        let Value::String(name) = node.value else {
            return self.retry(node);
        };
        let found = self.named.retries.get(name).cloned();
        if found.is_none() {
            self.not_named("unknown_retry", node, "retries", name);
        }
        found.flatten()
    }

    /// A retry policy.
    pub(super) fn retry(&mut self, node: &Node<'_>) -> Option<Retry> {
        let known = &["when", "exceptWhen", "delay", "backoff", "limit", "jitter"];
        let fields = self.fields(node, known)?;
        let backoff = fields.get("backoff").and_then(|it| self.backoff(&it));
        let limit = fields.get("limit").and_then(|it| self.limit(&it));
        Some(Retry {
            when: self.condition(fields.get("when").as_ref()),
            except_when: self.condition(fields.get("exceptWhen").as_ref()),
            delay: self.length_of(fields.get("delay").as_ref()),
            backoff: backoff.unwrap_or_default(),
            limit: limit.unwrap_or_default(),
            jitter: fields.get("jitter").and_then(|it| self.jitter(&it)),
        })
    }

    fn backoff(&mut self, node: &Node<'_>) -> Option<Backoff> {
        let known = &["constant", "exponential", "linear"];
        let fields = self.fields(node, known)?;
        let (name, inner) = self.one_of(&fields, known)?;
        self.object(&inner)?;
        Some(match name {
            "exponential" => Backoff::Exponential,
            "linear" => Backoff::Linear,
            _ => Backoff::Constant,
        })
    }

    fn limit(&mut self, node: &Node<'_>) -> Option<Limit> {
        let fields = self.fields(node, &["attempt", "duration"])?;
        let mut limit = Limit {
            total: self.length_of(fields.get("duration").as_ref()),
            ..Limit::default()
        };
        if let Some(attempt) = fields.get("attempt") {
            let fields = self.fields(&attempt, &["count", "duration"])?;
            limit.attempt = self.length_of(fields.get("duration").as_ref());
            let count = fields
                .get("count")
                .and_then(|it| self.whole(&it, 0, 10_000));
            limit.attempts = count.and_then(|it| u32::try_from(it).ok());
        }
        Some(limit)
    }

    fn jitter(&mut self, node: &Node<'_>) -> Option<Jitter> {
        let fields = self.fields(node, &["from", "to"])?;
        let from = self.need(&fields, "from").and_then(|it| self.length(&it));
        let to = self.need(&fields, "to").and_then(|it| self.length(&it));
        let (from, to) = (from?, to?);
        if let (Length::Fixed(least), Length::Fixed(most)) = (&from, &to)
            && least > most
        {
            let message = "jitter ends before it begins";
            self.complain("out_of_range", &node.pointer, message);
        }
        Some(Jitter { from, to })
    }
}
