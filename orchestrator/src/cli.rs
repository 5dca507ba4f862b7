//! The command line of `waygate`: arguments in, text or JSON out, a documented exit code.
//!
//! Commands that talk to a running hub use its REST and MCP doors like any other client; nothing
//! here knows how a call is made.

mod approvals;
mod audit;
mod bench;
mod client;
mod client_config;
mod doctor;
mod effects;
mod health;
mod keys;
mod migrate;
mod output;
mod policy;
mod secrets;
mod serve;
mod servers;
mod settings;
mod stdio;
mod tools;
mod up;
mod workflow;

use clap::{Args, Parser, Subcommand};
use output::Output;
use shared::config::Environment;
use std::path::PathBuf;
use std::process::ExitCode;

/// One door for AI agents to real infrastructure.
///
/// Exit codes: 0 done; 1 failed; 2 wrong arguments; 64 bad configuration; 69 the hub cannot be
/// reached; 75 try again later (rate limit, open breaker); 77 not allowed, or an approval is needed.
#[derive(Debug, Parser)]
#[command(name = "waygate", version, about, arg_required_else_help = false)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Options every command takes.
#[derive(Debug, Clone, Args)]
struct Global {
    /// Print JSON for machines instead of text for people.
    #[arg(long, global = true)]
    json: bool,
    /// A settings file (TOML or YAML) above those of the config folder.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address of the running hub. Without it `WAYGATE_URL` is read, else port 8000 on loopback is used.
    #[arg(long, global = true, value_name = "URL")]
    url: Option<String>,
    /// File that holds the API key to use; without it the key is read from `WAYGATE_API_KEY`.
    #[arg(long, global = true, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the hub (the default).
    Serve(serve::ServeArgs),
    /// Run hub and spokes on this machine, supervised, with an embedded store.
    Up(up::UpArgs),
    /// List, show and call tools.
    #[command(subcommand)]
    Tools(tools::ToolsCommand),
    /// See and decide what people are asked.
    #[command(subcommand)]
    Approvals(approvals::ApprovalsCommand),
    /// Settle changes whose outcome nobody knows.
    #[command(subcommand)]
    Effects(effects::EffectsCommand),
    /// Register, list, try and remove third-party MCP servers.
    #[command(subcommand)]
    Servers(servers::ServersCommand),
    /// Start workflows and look at them.
    #[command(subcommand)]
    Workflow(workflow::WorkflowCommand),
    /// Watch runs of workflows and do things to them.
    #[command(subcommand)]
    Runs(workflow::RunsCommand),
    /// Create, list and revoke API keys.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Ask what the policies would say to a call.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Check and export the audit trail.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Bring the store's schema up or down.
    #[command(subcommand)]
    Migrate(migrate::MigrateCommand),
    /// Serve MCP on standard input and output.
    Stdio(stdio::StdioArgs),
    /// Print the entry an AI host needs to reach this hub.
    ClientConfig(client_config::ClientConfigArgs),
    /// Look for what would keep the hub from working, and say what to do.
    Doctor(doctor::DoctorArgs),
    /// Measure the call path.
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// Ask a hub for its health; the probe of containers.
    Health(health::HealthArgs),
    /// Make keys and tokens.
    #[command(subcommand)]
    Secrets(secrets::SecretsCommand),
    /// Check the settings without starting anything.
    #[command(subcommand)]
    Config(settings::ConfigCommand),
    /// Print the `OpenAPI` document.
    Openapi,
    /// Print versions.
    Version,
}

/// Why a command did not do its work, with the exit code it ends with.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

/// Version of this build.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Not done.
pub(crate) const EXIT_FAILED: u8 = 1;
/// The hub cannot be reached.
pub(crate) const EXIT_UNAVAILABLE: u8 = 69;
/// Try again later.
pub(crate) const EXIT_LATER: u8 = 75;
/// Not allowed.
pub(crate) const EXIT_DENIED: u8 = 77;

impl Failure {
    pub(crate) fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(EXIT_FAILED, message)
    }

    pub(crate) fn config(error: &impl std::fmt::Display) -> Self {
        Self::new(shared::config::EXIT_CODE, error.to_string())
    }
}

/// What every command is given.
pub(crate) struct Context {
    global: Global,
    environment: Environment,
    output: Output,
}

/// Runs the command line and says how it ended.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.global.json);
    let environment = match Environment::of_process().or_file(".env".as_ref()) {
        Ok(environment) => environment,
        Err(error) => return output.failed(&Failure::config(&error)),
    };
    let context = Context {
        global: cli.global,
        environment,
        output,
    };
    let command = cli
        .command
        .unwrap_or_else(|| Command::Serve(serve::ServeArgs::default()));
    match run(&context, command) {
        Ok(code) => code,
        Err(failure) => context.output.failed(&failure),
    }
}

fn run(context: &Context, command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Serve(args) => serve::run(context, &args),
        Command::Up(args) => block_on(up::run(context, &args)),
        Command::Tools(command) => block_on(tools::run(context, command)),
        Command::Approvals(command) => block_on(approvals::run(context, command)),
        Command::Effects(command) => block_on(effects::run(context, command)),
        Command::Servers(command) => block_on(servers::run(context, command)),
        Command::Workflow(command) => block_on(workflow::run(context, command)),
        Command::Runs(command) => block_on(workflow::runs(context, command)),
        Command::Keys(command) => block_on(keys::run(context, command)),
        Command::Policy(command) => block_on(policy::run(context, command)),
        Command::Audit(command) => block_on(audit::run(context, command)),
        Command::Migrate(command) => block_on(migrate::run(context, command)),
        Command::Stdio(args) => stdio::run(context, &args),
        Command::ClientConfig(args) => client_config::run(context, &args),
        Command::Doctor(args) => block_on(doctor::run(context, &args)),
        Command::Bench(command) => block_on(bench::run(context, command)),
        Command::Health(args) => block_on(health::run(context, &args)),
        Command::Secrets(command) => secrets::run(context, &command),
        Command::Config(command) => settings::run(context, &command),
        Command::Openapi => settings::openapi(context),
        Command::Version => settings::version(context),
    }
}

fn block_on(work: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("the runtime could not start: {error}")))?;
    runtime.block_on(work)
}
