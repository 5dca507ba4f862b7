//! `waygate up`: hub and spokes as supervised child processes on loopback, embedded store, secrets
//! made on first use.

mod child;

use super::client::HubClient;
use super::{Context, Failure};
use crate::config::{self, Spoke};
use child::{Child, Program};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::time::Instant;

#[derive(Debug, Args)]
pub(super) struct UpArgs {
    /// Only these spokes, by number: `--with 01,12`. Default: all of services.yaml.
    #[arg(long, value_delimiter = ',', value_name = "NN")]
    with: Vec<u8>,
    /// Folder for store, ledgers and logs.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// How long children may take to end after SIGTERM.
const STOP_WITHIN: Duration = Duration::from_secs(30);
/// Pause before the first look whether the hub is ready; doubles.
const FIRST_LOOK: Duration = Duration::from_millis(50);
/// Longest such pause.
const LONGEST_LOOK: Duration = Duration::from_secs(1);
/// How long the hub may take to become ready.
const READY_WITHIN: Duration = Duration::from_secs(30);

pub(super) async fn run(context: &Context, args: &UpArgs) -> Result<ExitCode, Failure> {
    let mut environment = context.environment.clone();
    if environment.find("WAYGATE_ENV").is_none() {
        environment.set("WAYGATE_ENV", "development");
    }
    if let Some(data) = &args.data {
        environment.set("WAYGATE_DATA_DIR", data.display().to_string());
    }
    let loaded = config::load(&environment, context.global.config.as_deref())
        .map_err(|error| Failure::config(&error))?;
    let config = loaded.config;
    let secrets = config.paths.below_base(&config.paths.secrets);
    let made = super::secrets::generate(&secrets)
        .map_err(|error| Failure::failed(format!("{}: {error}", secrets.display())))?;
    if !made.is_empty() {
        context.output.note(&format!(
            "made {} in {}",
            made.join(", "),
            secrets.display()
        ));
    }
    let mut spokes = config
        .spokes(&environment)
        .map_err(|error| Failure::config(&error))?;
    spokes.retain(|spoke| args.with.is_empty() || args.with.contains(&spoke.number));
    let programs = programs(&environment, &spokes, &secrets)?;
    let children: Vec<Child> = programs.into_iter().map(Child::supervise).collect();
    let port = config.server.port;
    let address = format!("http://127.0.0.1:{port}");
    let ready = wait_until_ready(&context.client_at(&address)?).await;
    match ready {
        Ok(()) => context.output.note(&format!(
            "waygate is up: MCP at {address}/mcp, health at {address}/health, {} spokes. Ctrl-C stops it.",
            spokes.len()
        )),
        Err(failure) => {
            stop(children).await;
            return Err(failure);
        }
    }
    shared::tasks::until_signal().await;
    context.output.note("stopping");
    stop(children).await;
    Ok(ExitCode::SUCCESS)
}

fn programs(
    environment: &shared::config::Environment,
    spokes: &[Spoke],
    secrets: &Path,
) -> Result<Vec<Program>, Failure> {
    let own = std::env::current_exe()
        .map_err(|error| Failure::failed(format!("this program cannot be found: {error}")))?;
    let folder = own.parent().map(Path::to_path_buf).unwrap_or_default();
    let mut environment = environment.clone();
    environment.set(
        "WAYGATE_SPOKE_TOKEN_PATH",
        secrets.join("spoke_token").display().to_string(),
    );
    environment.set(
        "WAYGATE_CALL_PUBLIC_KEY_PATH",
        secrets.join("call_key.pub").display().to_string(),
    );
    let mut programs = Vec::new();
    for spoke in spokes {
        let path = folder.join(format!("spoke_{}", spoke.service));
        if !path.is_file() {
            return Err(Failure::failed(format!(
                "{} is missing; build it with: cargo build -p spoke_{}",
                path.display(),
                spoke.service
            )));
        }
        let mut own = environment.clone();
        let port = spoke.url.rsplit(':').next().unwrap_or_default();
        own.set("MCP_PORT", port);
        programs.push(Program {
            name: spoke.service.to_string(),
            path,
            arguments: vec![],
            environment: own,
        });
    }
    environment.set(
        "WAYGATE_SECRET_KEY_SECRET_PATH",
        secrets.join("secret_key").display().to_string(),
    );
    environment.set(
        "WAYGATE_CALL_KEY_PATH",
        secrets.join("call_key").display().to_string(),
    );
    let hub = Program {
        name: "waygate".into(),
        path: own,
        arguments: vec!["serve".into()],
        environment,
    };
    programs.push(hub);
    Ok(programs)
}

async fn wait_until_ready(client: &HubClient) -> Result<(), Failure> {
    let deadline = Instant::now() + READY_WITHIN;
    let mut pause = FIRST_LOOK;
    loop {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_LOOK);
        match client.get("/ready").await {
            Ok(_) => return Ok(()),
            Err(failure) if Instant::now() > deadline => {
                let seconds = READY_WITHIN.as_secs();
                return Err(Failure::new(
                    failure.code,
                    format!("not ready within {seconds} s: {}", failure.message),
                ));
            }
            Err(_) => {}
        }
    }
}

async fn stop(children: Vec<Child>) {
    futures::future::join_all(children.into_iter().map(|child| child.stop(STOP_WITHIN))).await;
}
