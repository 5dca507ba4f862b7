//! What a server is to the rest of the hub: an upstream with offers, and something that says by itself
//! that it changed.

use super::connection::Request;
use super::follow::Watched;
use super::inbox::Heard;
use super::object::Object;
use super::{McpServer, SHOWN, lists};
use crate::policy::{Permit, Reach};
use crate::upstream::offers::{Changes, OfferCall, Offered, Offers, Watch};
use crate::upstream::{Description, Health, Upstream, UpstreamCall, UpstreamError};
use async_trait::async_trait;
use serde_json::value::RawValue;
use shared::arguments;
use shared::tool::{Assessment, Output};
use std::sync::Arc;
use tokio::sync::Notify;

/// Passes on what a server says by itself.
pub(super) struct Ear {
    pub(super) name: Arc<str>,
    pub(super) changes: Changes,
    pub(super) lists: lists::Fresh,
    pub(super) watched: Arc<Watched>,
    pub(super) changed: Arc<Notify>,
}

impl Ear {
    pub(super) fn hear(&self, what: &Heard) {
        match what {
            Heard::Resource(uri) => self.watched.updated(&self.name, uri, &self.changes),
            _ => {
                self.lists.heard(what);
                self.changed.notify_one();
            }
        }
    }
}

#[async_trait]
impl Upstream for McpServer {
    async fn describe(&self) -> Result<Description, UpstreamError> {
        self.refresh().await
    }

    async fn probe(&self) -> Result<Health, UpstreamError> {
        let connection = self.pool.shared().await?;
        let method = match connection.is_modern() {
            true => "server/discover",
            false => "ping",
        };
        match connection
            .request(Request::new(method, Object::default()))
            .await
        {
            // A server that does not know the question answers.
            Ok(_) | Err(UpstreamError::Peer(_)) => Ok(Health::Healthy),
            Err(error) => Err(error),
        }
    }

    async fn assess(
        &self,
        _reach: &Reach,
        call: &UpstreamCall,
    ) -> Result<Assessment, UpstreamError> {
        let arguments = arguments::parse_object(&call.arguments, arguments::Limits::default())
            .map_err(|error| UpstreamError::Refused(error.to_string()))?;
        let shown: String = arguments.to_string().escape_debug().take(SHOWN).collect();
        let summary = format!(
            "call {} of the third-party server {}\narguments: {shown}",
            call.tool, self.name
        );
        Ok(Assessment::of(call.effect, summary))
    }

    async fn call(&self, permit: &Permit, call: &UpstreamCall) -> Result<Output, UpstreamError> {
        if permit.tool() != &call.tool || permit.effect() != call.effect {
            return Err(UpstreamError::Refused(
                "the permit is for another call".into(),
            ));
        }
        let running = tokio::time::timeout(self.timeout, self.run(permit, call));
        running.await.unwrap_or(Err(UpstreamError::Timeout))
    }
}

#[async_trait]
impl Offers for McpServer {
    fn offered(&self) -> Arc<Offered> {
        self.offered.load_full()
    }

    async fn fetch(
        &self,
        _permit: &Permit,
        call: &OfferCall,
    ) -> Result<Box<RawValue>, UpstreamError> {
        let running = tokio::time::timeout(self.timeout, self.get(call));
        running.await.unwrap_or(Err(UpstreamError::Timeout))
    }

    async fn watch(&self, _permit: &Permit, uri: &str) -> Result<Watch, UpstreamError> {
        if !self.offered.load().subscriptions {
            return Err(UpstreamError::Refused(
                "the server has no subscriptions".into(),
            ));
        }
        Ok(self.watched.add(uri))
    }
}
