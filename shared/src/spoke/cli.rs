//! The command line of every spoke: serve (default), health, tools, approvals.
//!
//! Exit codes: 0 done, 1 failed, 64 a setting or an argument cannot be used.

pub(crate) mod decisions;

use super::approvals::Decision;
use super::options::StartOptions;
use super::server::{self, Running, StartError};
use super::service::{BuildError, Service};
use super::settings::{self, Auth, Settings};
use crate::clock::{Clock, SystemClock};
use crate::config::{EXIT_CODE, Environment};
use crate::http::tls;
use crate::secret::FileThenEnvironment;
use crate::tasks;
use crate::telemetry::{self, TelemetryConfig};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use rustls::pki_types::ServerName;
use std::error::Error;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long `health` waits.
const HEALTH_WAIT: Duration = Duration::from_secs(5);
const HEALTH_BYTES: u64 = 64 * 1024;

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// File of settings for the tools, TOML or YAML; may be given several times, later wins.
    #[arg(long, global = true, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// Print the settings in force, without secrets, and stop.
    #[arg(long, global = true)]
    print_config: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the tools over gRPC and MCP (default).
    Serve,
    /// Ask the running service how it is; fails when it is not well.
    Health,
    /// List the tools with their effects.
    Tools,
    /// Decide about changes that were asked for without a hub.
    #[command(subcommand)]
    Approvals(Decide),
}

#[derive(Debug, Subcommand)]
enum Decide {
    /// Show what waits for a decision.
    List,
    /// Say yes to one call, once.
    Approve {
        /// Id of the request, as `list` shows it.
        id: String,
        /// Why, for the record.
        #[arg(long)]
        note: Option<String>,
    },
    /// Say no.
    Reject {
        /// Id of the request, as `list` shows it.
        id: String,
        /// Why, for the record.
        #[arg(long)]
        note: Option<String>,
    },
}

type Failed = Box<dyn Error + Send + Sync>;

/// Runs a spoke's binary with the arguments and environment of the process.
#[must_use]
pub fn main(service: &'static Service) -> ExitCode {
    let command = Arguments::command()
        .name(service.name)
        .version(service.version);
    let arguments = match command
        .try_get_matches()
        .and_then(|matches| Arguments::from_arg_matches(&matches))
    {
        Ok(arguments) => arguments,
        Err(error) => {
            let code = if error.use_stderr() { EXIT_CODE } else { 0 };
            // A closed terminal is no reason for another exit code.
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(service, arguments)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            complain(service, error.as_ref());
            ExitCode::from(exit_code(error.as_ref()))
        }
    }
}

async fn run(service: &'static Service, arguments: Arguments) -> Result<ExitCode, Failed> {
    // Another part of the process may have installed a provider already; either will do.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let environment = Environment::of_process()
        .or_file(Path::new(".env"))
        .map_err(BuildError::from)
        .map_err(StartError::from)?;
    if arguments.print_config {
        let harness = settings::read(&environment).map_err(StartError::from)?;
        let own = server::merged(service, &arguments.config, &environment);
        let own = own.map_err(StartError::from)?;
        return say(&format!(
            "# harness\n{}\n# {}\n{}",
            harness.print(),
            service.name,
            own.print()
        ));
    }
    let mut options = StartOptions::new(environment);
    options.files = arguments.config;
    match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(service, options).await,
        Command::Health => health(service, &options.environment).await,
        Command::Tools => tools(service, options).await,
        Command::Approvals(decide) => approvals(service, &options.environment, decide).await,
    }
}

async fn serve(service: &'static Service, mut options: StartOptions) -> Result<ExitCode, Failed> {
    let settings = settings::read(&options.environment).map_err(StartError::from)?;
    let guard = telemetry::init(telemetry_of(service, &settings.config))?;
    let secrets = FileThenEnvironment::new(options.environment.clone());
    options.secrets = Some(Arc::new(secrets.telling(guard.redactor())));
    let running = server::start(service, options).await?;
    tasks::until_signal().await;
    stop(running).await;
    drop(guard);
    Ok(ExitCode::SUCCESS)
}

async fn stop(running: Running) {
    tracing::info!(event = "spoke.stopping", "calls in flight may end");
    let leftover = running.stop().await;
    if !leftover.is_empty() {
        tracing::warn!(event = "spoke.leftover", tasks = ?leftover.tasks, "tasks did not end in time");
    }
}

fn telemetry_of(service: &Service, settings: &Settings) -> TelemetryConfig {
    TelemetryConfig {
        level: settings.log_level,
        format: settings.log_format,
        tracing_enabled: settings.tracing_enabled,
        otlp_endpoint: settings.otlp_endpoint.clone(),
        ..TelemetryConfig::of(service.name)
    }
}

async fn health(service: &Service, environment: &Environment) -> Result<ExitCode, Failed> {
    let settings = settings::read(environment).map_err(StartError::from)?;
    let port = settings::port(service.number, environment).map_err(StartError::from)?;
    let mut address = settings.config.address(port);
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let own = (settings.config.auth == Auth::Mtls).then_some(&settings.config.tls_cert_path);
    let asked = ask_health(address, own.map(PathBuf::as_path));
    let answer = tokio::time::timeout(HEALTH_WAIT, asked).await??;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no HTTP answer")?;
    say(body)?;
    let well = head.split(' ').nth(1) == Some("200");
    Ok(if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Over TLS when the spoke shows the certificate in `own`.
async fn ask_health(address: SocketAddr, own: Option<&Path>) -> std::io::Result<String> {
    let stream = TcpStream::connect(address).await?;
    let Some(own) = own else {
        return told_by(stream).await;
    };
    let config = tls::client_of_own(own).map_err(std::io::Error::other)?;
    let name = ServerName::IpAddress(address.ip().into());
    let connector = TlsConnector::from(config);
    told_by(connector.connect(name, stream).await?).await
}

async fn told_by(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<String> {
    let request = "GET /health HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    let read = stream.take(HEALTH_BYTES).read_to_end(&mut answer).await;
    // A peer that ends without saying so has told what it had to all the same.
    if read.is_err() && answer.is_empty() {
        read?;
    }
    String::from_utf8(answer).map_err(std::io::Error::other)
}

async fn tools(service: &'static Service, options: StartOptions) -> Result<ExitCode, Failed> {
    let catalogue = server::catalogue(service, options).await?;
    let lines = catalogue.entries().iter().map(|entry| {
        let spec = &entry.definition().spec;
        let per_call = if spec.effect_per_call { "?" } else { "" };
        format!("{}\t{}{per_call}\t{}", entry.id(), spec.effect, entry.alias)
    });
    say(&lines.collect::<Vec<_>>().join("\n"))
}

async fn approvals(
    service: &Service,
    environment: &Environment,
    decide: Decide,
) -> Result<ExitCode, Failed> {
    let now = SystemClock.now().as_second();
    let (id, approve, note) = match decide {
        Decide::List => return say(&decisions::waiting(service, environment, now).await?),
        Decide::Approve { id, note } => (id, true, note),
        Decide::Reject { id, note } => (id, false, note),
    };
    let decision = Decision {
        approve,
        note: note.as_deref(),
    };
    say(&decisions::decided(service, environment, &id, decision, now).await?)
}

fn say(text: &str) -> Result<ExitCode, Failed> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.trim_end().as_bytes())?;
    out.write_all(b"\n")?;
    Ok(ExitCode::SUCCESS)
}

/// The whole chain of causes, in one line on stderr.
fn complain(service: &Service, error: &(dyn Error + 'static)) {
    let mut line = format!("{}: {error}", service.name);
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line.push('\n');
    // Nothing is left to tell anyone when stderr is closed.
    drop(std::io::stderr().write_all(line.as_bytes()));
}

fn exit_code(error: &(dyn Error + 'static)) -> u8 {
    match error.downcast_ref::<StartError>() {
        Some(error) if error.is_configuration() => EXIT_CODE,
        _ => 1,
    }
}
