//! `os.macos.apps.*`: the applications of a Mac.

use crate::mac::{self, Mac, output};
use crate::os_info::OneHost;
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shared::command::shown;
use shared::error::Code;
use shared::exec::Ended;
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool};
use std::sync::Arc;

/// Applications of one answer.
const MOST: usize = 2000;
const KIND: &str = "SPApplicationsDataType";

/// Lists them.
pub(crate) struct ListApps(pub(crate) Arc<Mac>);
/// Opens one.
pub(crate) struct OpenApp(pub(crate) Arc<Mac>);

/// Applications in the order of their names.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Apps {
    apps: Vec<App>,
    /// Number of applications returned.
    count: usize,
    /// Whether there are more.
    truncated: bool,
}

/// One of them.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
struct App {
    name: String,
    path: String,
    /// Null when it has none.
    version: Option<String>,
    /// Such as `com.apple.Safari`; null when the system does not tell it.
    bundle_id: Option<String>,
}

#[async_trait]
impl TypedTool for ListApps {
    type Arguments = OneHost;
    type Output = Apps;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.macos.apps.listApps",
            Effect::Read,
            "List the applications of a Mac in SSH_HOSTS with path and version, as the system profiler \
             knows them. Takes some seconds.",
        )
        .live()
        .open_world()
    }

    async fn run(&self, arguments: OneHost, call: &Call) -> Result<Apps, ToolError> {
        let pinned = self.0.target(arguments.host.as_deref())?;
        let words = ["system_profiler", "-json", KIND];
        let finished = self.0.ask(pinned, words, call).await?;
        let report = output("system_profiler", &finished)?;
        apps(&report)
    }
}

/// Its parameters.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct OpenArguments {
    /// Name of the application as `listApps` gives it, or its path.
    #[schemars(length(min = 1, max = 255))]
    app_name: String,
    /// A Mac in `SSH_HOSTS`, spelled as there. Default: the only one.
    host: Option<String>,
}

/// What became of it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Opened {
    app: String,
    /// Whether the system took the order; an application that was open comes to the front.
    started: bool,
    /// The same for people.
    message: String,
}

#[async_trait]
impl TypedTool for OpenApp {
    type Arguments = OpenArguments;
    type Output = Opened;

    fn spec(&self) -> Spec {
        Spec::new(
            "os.macos.apps.openApp",
            Effect::Mutate,
            "Open an application on a Mac in SSH_HOSTS, or bring it to the front. The user of SSH_USER \
             must be logged in at the screen. Needs a person's approval.",
        )
        .idempotent()
        .live()
        .open_world()
    }

    async fn assess(&self, arguments: &OpenArguments, _: &Call) -> Result<Assessment, ToolError> {
        check(&arguments.app_name)?;
        let pinned = self.0.target(arguments.host.as_deref())?;
        let app = shown(&arguments.app_name);
        let summary = format!("Open {app} on {}", mac::place(&pinned));
        Ok(Assessment::of(Effect::Mutate, summary))
    }

    async fn run(&self, arguments: OpenArguments, call: &Call) -> Result<Opened, ToolError> {
        check(&arguments.app_name)?;
        let app = arguments.app_name;
        let pinned = self.0.target(arguments.host.as_deref())?;
        let finished = self.0.ask(pinned, ["open", "-a", &app], call).await?;
        let said = finished.stderr.text();
        if matches!(finished.ended, Ended::Exited(_)) && said.contains("Unable to find application")
        {
            let message = format!("there is no application {}", shown(&app));
            return Err(ToolError::refused(Code::NotFound, message));
        }
        output("open", &finished)?;
        Ok(Opened {
            message: format!("{} was opened", shown(&app)),
            app,
            started: true,
        })
    }
}

fn check(app: &str) -> Result<(), ToolError> {
    let fits = (1..=255).contains(&app.len())
        && !app.starts_with('-')
        && !app.chars().any(char::is_control);
    match fits {
        true => Ok(()),
        false => Err(ToolError::invalid("appName", "expected a name or a path")),
    }
}

/// Reads the report of the profiler.
fn apps(report: &str) -> Result<Apps, ToolError> {
    #[derive(Deserialize)]
    struct Report {
        #[serde(rename = "SPApplicationsDataType")]
        apps: Vec<Found>,
    }
    #[derive(Deserialize)]
    struct Found {
        #[serde(rename = "_name")]
        name: String,
        path: Option<String>,
        version: Option<String>,
        bundle_id: Option<String>,
    }
    let report: Report = serde_json::from_str(report).map_err(|error| {
        tracing::warn!(event = "profiler_answer", %error, "an odd report");
        let message = "system_profiler answered something else than a list of applications";
        ToolError::new(Code::BadGateway, message)
    })?;
    let app = |found: Found| App {
        name: found.name,
        path: found.path.unwrap_or_default(),
        version: found.version,
        bundle_id: found.bundle_id,
    };
    let mut apps: Vec<_> = report.apps.into_iter().map(app).collect();
    apps.sort_unstable();
    let truncated = apps.len() > MOST;
    apps.truncate(MOST);
    Ok(Apps {
        count: apps.len(),
        apps,
        truncated,
    })
}
