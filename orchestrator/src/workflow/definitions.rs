//! Definitions: read and checked against the tools there are, kept as they were written, found again by
//! digest or by name.

use super::{WorkflowError, Workflows};
use crate::auth::Permissions;
use crate::router::Snapshot;
use crate::store::{Statement, StoreError, micros, moment};
use jiff::Timestamp;
use moka::future::Cache;
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use workflow::dsl::model::{Definition, Effect};
use workflow::dsl::{Catalogue, Complaint, NoCatalogue, ToolView, compact};

/// Definitions kept ready.
const READY: u64 = 512;
/// What the reader says of a tool the catalogue does not have.
const UNKNOWN_TOOL: &str = "unknown_tool";

/// Definitions that were read before, by digest.
pub(super) struct Definitions(Cache<String, Arc<Definition>>);

impl Default for Definitions {
    fn default() -> Self {
        Self(Cache::new(READY))
    }
}

/// A kept definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionView {
    /// `sha256:…`.
    pub digest: String,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// The text as it was given.
    pub source: String,
    /// When it was first given.
    pub created_at: Timestamp,
}

/// The tools of one moment, and a service that was asked about and not seen since the hub started.
struct Tools {
    snapshot: Arc<Snapshot>,
    unseen: Mutex<Option<Arc<str>>>,
}

impl Tools {
    /// Nothing is known of any tool of the service an id belongs to.
    fn note_unseen(&self, id: &str) {
        let Some(service) = self.snapshot.service_for(id) else {
            return;
        };
        let mut routes = self.snapshot.routes().iter();
        if !routes.any(|route| route.service == *service) {
            *self.unseen.lock() = Some(Arc::clone(service));
        }
    }
}

impl Catalogue for Tools {
    fn tool(&self, id: &str) -> Option<ToolView> {
        let Ok(route) = self.snapshot.resolve(id) else {
            self.note_unseen(id);
            return None;
        };
        let schema: Value = serde_json::from_str(route.tool.input_schema.get()).ok()?;
        Some(ToolView {
            id: route.tool.id.as_str().to_owned(),
            version: None,
            schema: Arc::new(schema),
            effect: effect_of(&route.tool),
            verify: None,
        })
    }
}

/// What a lost answer of this tool means.
fn effect_of(tool: &crate::upstream::ToolFacts) -> Effect {
    use shared::tool::Effect as Own;
    match tool.effect {
        Own::Read => Effect::Read,
        _ if tool.idempotent => Effect::Idempotent,
        _ => Effect::Once,
    }
}

/// The document a short form stands for; `None` when the text is no short form.
fn long_form(source: &str, snapshot: &Snapshot) -> Result<Option<String>, Vec<Complaint>> {
    let Ok(value) = serde_yaml_ng::from_str::<Value>(source) else {
        return Ok(None);
    };
    if !compact::is_compact(&value) {
        return Ok(None);
    }
    let full_id = |service: Option<&str>, tool: &str| match service {
        Some(service) if snapshot.resolve(tool).is_err() => format!("{service}.{tool}"),
        _ => tool.to_owned(),
    };
    Ok(Some(compact::expand(&value, &full_id)?.to_string()))
}

/// The permissions of its starter a document may use; `None` means all.
pub(super) fn grant_of(definition: &Definition) -> Result<Option<Permissions>, WorkflowError> {
    let Some(texts) = &definition.hub.grant else {
        return Ok(None);
    };
    let grant = Permissions::parse(texts.iter().map(String::as_str));
    grant
        .map(Some)
        .map_err(|error| WorkflowError::Unreadable(error.to_string()))
}

impl Workflows {
    /// Reads a document and checks it against the tools there are now. Nothing is kept.
    ///
    /// # Errors
    /// [`WorkflowError::Wrong`] with every complaint, [`WorkflowError::Invalid`] when it is too large,
    /// [`WorkflowError::Unseen`] when nothing is wrong but a service that did not answer yet.
    pub fn read(&self, source: &str) -> Result<Arc<Definition>, WorkflowError> {
        if source.len() > self.config.definition_bytes {
            let rule = format!("at most {} bytes", self.config.definition_bytes);
            return Err(WorkflowError::invalid("workflow", rule));
        }
        let snapshot = self.gateway.router.snapshot();
        let text = long_form(source, &snapshot).map_err(WorkflowError::Wrong)?;
        let source = text.as_deref().unwrap_or(source);
        let tools = Tools {
            snapshot,
            unseen: Mutex::default(),
        };
        match Definition::read_with(source, &tools, &self.expressions) {
            Ok(definition) => Ok(Arc::new(definition)),
            Err(complaints) => {
                let unseen = tools.unseen.into_inner();
                let only = complaints.iter().all(|it| it.code == UNKNOWN_TOOL);
                Err(match unseen.filter(|_| only) {
                    Some(service) => WorkflowError::Unseen(service),
                    None => WorkflowError::Wrong(complaints),
                })
            }
        }
    }

    /// Reads a document whose tools do not matter.
    pub(super) fn read_without_tools(&self, source: &str) -> Result<Definition, WorkflowError> {
        let snapshot = self.gateway.router.snapshot();
        let text = long_form(source, &snapshot).map_err(WorkflowError::Wrong)?;
        let source = text.as_deref().unwrap_or(source);
        Definition::read_with(source, &NoCatalogue, &self.expressions).map_err(WorkflowError::Wrong)
    }

    /// The effects of the tools a document calls, as they are now.
    pub(super) fn effects(&self, definition: &Definition) -> BTreeMap<String, Effect> {
        let snapshot = self.gateway.router.snapshot();
        let known = definition.tools.keys().filter_map(|id| {
            let route = snapshot.resolve(id).ok()?;
            Some((id.clone(), effect_of(&route.tool)))
        });
        known.collect()
    }

    /// Keeps a definition, once per content.
    pub(super) fn keep(&self, organization: &str, by: &str, definition: &Definition) -> Statement {
        let sql = "INSERT INTO workflow_definitions (organization_id, digest, namespace, name, version, \
                   source, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
                   ON CONFLICT (organization_id, digest) DO NOTHING";
        Statement::new(sql)
            .bind(organization)
            .bind(definition.digest.as_str())
            .bind(definition.document.namespace.as_str())
            .bind(definition.document.name.as_str())
            .bind(definition.document.version.as_str())
            .bind(definition.source.as_str())
            .bind(by)
            .bind(micros(self.now()))
    }

    /// A definition that was kept, as runs use it: tools are not checked again.
    pub(super) async fn definition(
        &self,
        organization: &str,
        digest: &str,
    ) -> Result<Arc<Definition>, WorkflowError> {
        if let Some(ready) = self.definitions.0.get(digest).await {
            return Ok(ready);
        }
        let view = self.kept(organization, digest).await?;
        let view =
            view.ok_or_else(|| WorkflowError::Unreadable("its definition is gone".into()))?;
        let read = Definition::read_with(&view.source, &NoCatalogue, &self.expressions);
        let definition = read.map_err(|complaints| {
            let first = complaints.first().map(ToString::to_string);
            WorkflowError::Unreadable(first.unwrap_or_default())
        })?;
        let definition = Arc::new(definition);
        let ready = Arc::clone(&definition);
        self.definitions.0.insert(digest.to_owned(), ready).await;
        Ok(definition)
    }

    /// A kept definition by digest.
    pub(super) async fn kept(
        &self,
        organization: &str,
        digest: &str,
    ) -> Result<Option<DefinitionView>, StoreError> {
        let sql = "SELECT digest, namespace, name, version, source, created_at \
                   FROM workflow_definitions WHERE organization_id = $1 AND digest = $2";
        self.one_kept(Statement::new(sql).bind(organization).bind(digest))
            .await
    }

    /// The newest kept definition of a name; `version` `latest` takes any.
    pub(super) async fn newest(
        &self,
        organization: &str,
        (namespace, name): (&str, &str),
        version: &str,
    ) -> Result<Option<DefinitionView>, StoreError> {
        let sql = "SELECT digest, namespace, name, version, source, created_at \
                   FROM workflow_definitions WHERE organization_id = $1 AND namespace = $2 AND name = $3 \
                   AND ($4 = 'latest' OR version = $4) ORDER BY created_at DESC, digest LIMIT 1";
        let select = Statement::new(sql)
            .bind(organization)
            .bind(namespace)
            .bind(name)
            .bind(version);
        self.one_kept(select).await
    }

    async fn one_kept(&self, select: Statement) -> Result<Option<DefinitionView>, StoreError> {
        let rows = self.instance.store().read(select).await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let text = |column| row.text(column).map(str::to_owned);
        Ok(Some(DefinitionView {
            digest: text("digest")?,
            namespace: text("namespace")?,
            name: text("name")?,
            version: text("version")?,
            source: text("source")?,
            created_at: moment(row.integer("created_at")?),
        }))
    }
}
