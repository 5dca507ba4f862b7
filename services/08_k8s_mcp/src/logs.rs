//! `infra.k8s.pods.getPodLogs`.

use crate::cluster::Clusters;
use crate::names;
use crate::object::{CORE, default_namespace, path};
use async_trait::async_trait;
use reqwest::{Method, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::error::Code;
use shared::tool::{Call, Effect, LogLevel, Report, Spec, ToolError, TypedTool};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Longest text that is given, in bytes.
const MAX_BYTES: usize = 1024 * 1024;
/// Longest time a log is followed.
const FOLLOW: Duration = Duration::from_secs(60);
/// Kept back of a call's time for its answer.
const RESERVE: Duration = Duration::from_secs(2);

/// The tool.
pub(crate) struct GetPodLogs(pub(crate) Arc<Clusters>);

/// Its arguments.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// Name of the pod.
    #[schemars(length(min = 1, max = 253))]
    name: String,
    /// Its namespace.
    #[serde(default = "default_namespace")]
    #[schemars(length(min = 1, max = 63))]
    namespace: String,
    /// Which container; leave out when the pod has one.
    #[serde(default)]
    #[schemars(length(min = 1, max = 63))]
    container: Option<String>,
    /// Only so many lines of the end; -1 for all.
    #[serde(default = "all")]
    #[schemars(range(min = -1))]
    tail: i64,
    /// The same as `tail`, as `infra.k8s.get_pod_logs` calls it.
    #[serde(default)]
    #[schemars(range(min = -1))]
    tail_lines: Option<i64>,
    /// Wait for further lines, 60 seconds at most; they come as progress, too.
    #[serde(default)]
    follow: bool,
    /// Only lines of the last so many seconds.
    #[serde(default)]
    #[schemars(range(min = 1))]
    since_seconds: Option<u64>,
    /// The log of the container's run before this one.
    #[serde(default)]
    previous: bool,
}

const fn all() -> i64 {
    -1
}

/// Its result.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Log {
    /// Name of the pod.
    pod: String,
    /// The container; empty when none was named.
    container: String,
    /// The lines.
    text: String,
    /// Whether there was more than is given here.
    truncated: bool,
}

#[async_trait]
impl TypedTool for GetPodLogs {
    type Arguments = Arguments;
    type Output = Log;

    fn spec(&self) -> Spec {
        Spec::new(
            "infra.k8s.pods.getPodLogs",
            Effect::Read,
            "Read the log of a Kubernetes pod, the end of it, or what is written from now on.",
        )
        .open_world()
        .live()
        .aliases(&["infra.k8s.get_pod_logs"])
    }

    async fn run(&self, arguments: Arguments, call: &Call) -> Result<Log, ToolError> {
        let name = names::object("name", &arguments.name)?;
        let namespace = names::label("namespace", &arguments.namespace)?;
        let container = arguments.container.as_deref();
        let container = container
            .map(|it| names::label("container", it))
            .transpose()?;
        let cluster = self.0.of(call)?;
        let mut parts = path(CORE, Some(namespace), "pods");
        parts.extend([name, "log"]);
        let mut url = cluster.url(&parts);
        let flag = |name, set: bool| set.then_some((name, "true".to_owned()));
        let lines = arguments.tail_lines.unwrap_or(arguments.tail);
        let tail = (lines >= 0).then(|| ("tailLines", lines.to_string()));
        let since = arguments
            .since_seconds
            .map(|it| ("sinceSeconds", it.to_string()));
        url.query_pairs_mut()
            .append_pair("limitBytes", &(MAX_BYTES + 1).to_string())
            .extend_pairs(container.map(|it| ("container", it)))
            .extend_pairs(flag("follow", arguments.follow))
            .extend_pairs(flag("previous", arguments.previous))
            .extend_pairs(tail)
            .extend_pairs(since);
        let time = call.remaining().saturating_sub(RESERVE).min(FOLLOW);
        let until = Instant::now() + time;
        let request = cluster.request(Method::GET, url).timeout(time + RESERVE);
        let response = cluster.open(request).await?;
        let follow = arguments.follow.then_some(call);
        let (bytes, truncated) = gather(response, until, follow).await?;
        Ok(Log {
            pod: name.to_owned(),
            container: container.unwrap_or_default().to_owned(),
            text: String::from_utf8_lossy(&bytes).into_owned(),
            truncated,
        })
    }
}

/// Reads to the end, to the time, or to the limit; `follow`: who is told each line.
async fn gather(
    mut response: Response,
    until: Instant,
    follow: Option<&Call>,
) -> Result<(Vec<u8>, bool), ToolError> {
    let mut bytes: Vec<u8> = Vec::new();
    let mut told = 0;
    loop {
        let chunk = match timeout_at(until, response.chunk()).await {
            // What is followed ends when its time is over.
            Err(_) if follow.is_some() => return Ok((bytes, false)),
            Err(_) => {
                let message = "the log did not come to its end in time";
                return Err(ToolError::new(Code::Timeout, message).retryable());
            }
            Ok(chunk) => chunk.map_err(|_broken| {
                let message = "the exchange with the Kubernetes API broke off";
                ToolError::new(Code::ProxyError, message).retryable()
            })?,
        };
        let Some(chunk) = chunk else {
            return Ok((bytes, false));
        };
        bytes.extend_from_slice(&chunk);
        if let Some(call) = follow {
            told = tell(&bytes, told, call);
        }
        if bytes.len() > MAX_BYTES {
            bytes.truncate(MAX_BYTES);
            return Ok((bytes, true));
        }
    }
}

/// Tells the whole lines after `told` bytes; gives how many bytes are told now.
fn tell(bytes: &[u8], told: usize, call: &Call) -> usize {
    let fresh = bytes.get(told..).unwrap_or_default();
    let Some(end) = fresh.iter().rposition(|byte| *byte == b'\n') else {
        return told;
    };
    let lines = String::from_utf8_lossy(fresh.get(..end).unwrap_or_default());
    for line in lines.lines() {
        call.progress.send(Report::Log {
            level: LogLevel::Info,
            message: line.to_owned(),
        });
    }
    told + end + 1
}
