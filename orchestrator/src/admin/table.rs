//! What a route is: method, path, what it needs, what goes in and out, and its handler.

use super::Admin;
use crate::auth::Verb;
use crate::transport::access::Need;
use axum::handler::Handler;
use axum::routing::{self, MethodRouter};
use http::Method;
use std::borrow::Cow;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

/// One route.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) need: Need,
    pub(super) budget: Budget,
    pub(super) summary: &'static str,
    pub(super) request: Option<Shape>,
    pub(super) answer: Option<Shape>,
    pub(super) enveloped: bool,
    pub(super) repeats: Repeats,
    pub(super) handler: MethodRouter<Admin>,
}

/// What becomes of a request that is sent again under its `Idempotency-Key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeats {
    /// It is carried out again; the key is not looked at.
    Anew,
    /// It gets the answer of the first one.
    Kept,
}

/// How often a principal, or an address, may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Budget {
    /// Never limited.
    Probe,
    /// As every route.
    Usual,
    /// As the command engine.
    Execute,
}

/// A document that goes in or out, for the API's description.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) name: fn() -> Cow<'static, str>,
    pub(super) collect: fn(&mut Vec<(String, RefOr<Schema>)>),
}

impl Shape {
    pub(super) fn of<T: ToSchema>() -> Self {
        Self {
            name: T::name,
            collect: |schemas| {
                schemas.push((T::name().into_owned(), T::schema()));
                T::schemas(schemas);
            },
        }
    }
}

impl Route {
    pub(super) fn get<H: Handler<T, Admin>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(Method::GET, path, routing::get(handler))
    }

    pub(super) fn post<H: Handler<T, Admin>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(Method::POST, path, routing::post(handler))
    }

    pub(super) fn put<H: Handler<T, Admin>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(Method::PUT, path, routing::put(handler))
    }

    pub(super) fn delete<H: Handler<T, Admin>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(Method::DELETE, path, routing::delete(handler))
    }

    fn new(method: Method, path: &'static str, handler: MethodRouter<Admin>) -> Self {
        Self {
            method,
            path,
            need: Need::Admin,
            budget: Budget::Usual,
            summary: "",
            request: None,
            answer: None,
            enveloped: false,
            repeats: Repeats::Anew,
            handler,
        }
    }

    /// What a caller must bring; the role admin unless said otherwise.
    pub(super) const fn needs(mut self, need: Need) -> Self {
        self.need = need;
        self
    }

    /// Needs this verb on tools: the plain permissions `read` and `execute`.
    pub(super) const fn needs_tools(self, verb: Verb) -> Self {
        self.needs(Need::Permission("tools", verb))
    }

    /// Open and never limited.
    pub(super) const fn probe(mut self) -> Self {
        self.need = Need::Nothing;
        self.budget = Budget::Probe;
        self
    }

    /// Limited as the command engine.
    pub(super) const fn executes(mut self) -> Self {
        self.budget = Budget::Execute;
        self
    }

    /// Takes an `Idempotency-Key`.
    pub(super) const fn once(mut self) -> Self {
        self.repeats = Repeats::Kept;
        self
    }

    pub(super) const fn says(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    pub(super) fn takes<T: ToSchema>(mut self) -> Self {
        self.request = Some(Shape::of::<T>());
        self
    }

    /// Answers with the bare document.
    pub(super) fn answers<T: ToSchema>(mut self) -> Self {
        self.answer = Some(Shape::of::<T>());
        self
    }

    /// Answers with the document in an envelope.
    pub(super) fn envelopes<T: ToSchema>(mut self) -> Self {
        self.enveloped = true;
        self.answers::<T>()
    }
}

/// The other path of a route that has two.
pub(super) fn alias(path: &str) -> Option<String> {
    if let Some(rest) = path.strip_prefix("/api/admin/") {
        return Some(format!("/admin/{rest}"));
    }
    if let Some(rest) = path.strip_prefix("/gateway/servers") {
        return Some(format!("/api/gateway/servers{rest}"));
    }
    path.strip_prefix("/auth/")
        .map(|rest| format!("/api/auth/{rest}"))
}
