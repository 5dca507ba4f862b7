//! What must hold before an object is deleted. Source: `catalogue.md` 5.

use super::{DeleteArguments, Stored};
use crate::google::{Connection, Google, check};
use crate::names;
use serde::Deserialize;
use shared::error::Code;
use shared::tool::{Check, ToolError};
use url::Url;

/// Source: discovery document of storage v1, `Bucket`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bucket {
    #[serde(default)]
    versioning: Versioning,
    #[serde(default)]
    soft_delete_policy: SoftDelete,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Versioning {
    enabled: bool,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct SoftDelete {
    retention_duration_seconds: String,
}

impl DeleteArguments {
    pub(super) fn names(&self) -> Result<(&str, &str, Option<&str>), ToolError> {
        let generation = self.generation.as_deref();
        Ok((
            names::bucket(&self.bucket_name)?,
            names::object("objectName", &self.object_name)?,
            generation.map(names::generation).transpose()?,
        ))
    }

    pub(super) fn url(&self, cloud: &Connection) -> Result<Url, ToolError> {
        let (bucket, name, generation) = self.names()?;
        let mut url = cloud.storage(false, &["b", bucket, "o", name]);
        if let Some(generation) = generation {
            url.query_pairs_mut().append_pair("generation", generation);
        }
        Ok(url)
    }
}

/// It is there, nobody holds it; whether it can be had back is told.
pub(super) async fn of(cloud: &Google, given: &DeleteArguments) -> Result<Vec<Check>, ToolError> {
    let cloud = cloud.ready()?;
    let (bucket, _, generation) = given.names()?;
    let stored: Stored = match cloud.get(given.url(cloud)?).await {
        Err(error) if error.code == Code::NotFound => {
            return Ok(vec![check(
                "object_exists",
                false,
                "there is no such object",
            )]);
        }
        other => other?,
    };
    let held = stored.event_based_hold || stored.temporary_hold;
    let until = stored.retention_expiration_time;
    let kept = until.is_some_and(|until| until > cloud.clock.now());
    let told = match recoverable(cloud, bucket, generation).await {
        Some(true) => "it can be had back for a while",
        Some(false) => "it is gone for good",
        None => "not known: treat it as gone for good",
    };
    Ok(vec![
        check("object_exists", true, format!("{} bytes", stored.size)),
        check("no_hold", !held, format!("held: {held}")),
        check("no_retention", !kept, format!("kept: {kept}")),
        check("recoverable", true, told),
    ])
}

/// Whether what is deleted can be had back; `None` when we may not know.
pub(super) async fn recoverable(
    cloud: &Connection,
    bucket: &str,
    generation: Option<&str>,
) -> Option<bool> {
    let bucket: Bucket = cloud.get(cloud.storage(false, &["b", bucket])).await.ok()?;
    let seconds = bucket.soft_delete_policy.retention_duration_seconds;
    // A named generation is deleted for good, whatever the versions.
    let versions = bucket.versioning.enabled && generation.is_none();
    Some(versions || !matches!(seconds.as_str(), "" | "0"))
}
