//! Spoke 07: web pages in a real browser.
//!
//! The tools, in reading order: going somewhere (`navigate`), reading (`content`, `screenshot`),
//! acting (`interact`, with `element`), figures (`state`). Beneath them: whose page is whose
//! (`sessions`), what a browser can do (`browser`), the one there is (`chromium`), and the wall
//! between it and the network (`guard`).

mod browser;
mod chromium;
mod config;
mod content;
mod element;
mod guard;
mod interact;
mod navigate;
mod screenshot;
mod sessions;
mod state;

use browser::Browser;
use chromium::{Chromium, Surroundings};
use config::Config;
use futures::future::BoxFuture;
use guard::Guard;
use sessions::Sessions;
use shared::id::InvalidId;
use shared::spoke::{BuildError, BuildInput, Parts, Service};
use shared::tool::{Tool, boxed};
use std::sync::Arc;

/// The spoke.
pub static SERVICE: Service = Service {
    name: "07_web_browsing_mcp",
    number: 7,
    version: env!("CARGO_PKG_VERSION"),
    namespaces: &["web.browse"],
    canary: "web.browse.navigation.getCurrentUrl",
    defaults: config::DEFAULTS,
    variables: config::VARIABLES,
    build,
};

fn build(input: &BuildInput) -> BoxFuture<'_, Result<Parts, BuildError>> {
    Box::pin(async move {
        let config: Config = input.config()?;
        let kit = &input.kit;
        let guard = Guard::new(
            config.guard.allow.0,
            config.guard.connections.count(),
            kit.tasks.clone(),
        );
        let surroundings = Surroundings {
            guard: guard.clone(),
            data_dir: kit.data_dir.clone(),
            is_container: kit.environment.get("WAYGATE_MODE") == Some("container"),
            tasks: kit.tasks.clone(),
        };
        let is_remote = !config.browser.proxy_host.is_empty();
        let browser: Arc<dyn Browser> = Arc::new(Chromium::new(
            config.browser,
            config.outbound.allow.0,
            surroundings,
        ));
        let sessions = Sessions::new(browser, guard, config.contexts, is_remote, &kit.tasks);
        let mut tools = tools(&sessions)?;
        tools.push(state::metrics_tool(&kit.meter, sessions.clone())?);
        Ok(Parts {
            tools,
            checks: vec![Arc::new(state::BrowserCheck(sessions))],
        })
    })
}

fn tools(sessions: &Sessions) -> Result<Vec<Arc<dyn Tool>>, InvalidId> {
    let sessions = || sessions.clone();
    Ok(vec![
        boxed(navigate::NavigateTo(sessions()))?,
        boxed(navigate::GetCurrentUrl(sessions()))?,
        boxed(navigate::GoBack(sessions()))?,
        boxed(navigate::GoForward(sessions()))?,
        boxed(content::GetPageContent(sessions()))?,
        boxed(content::GetElementText(sessions()))?,
        screenshot::tool(sessions())?,
        boxed(interact::ClickElement(sessions()))?,
        boxed(interact::FillForm(sessions()))?,
        boxed(interact::ScrollPage(sessions()))?,
    ])
}
