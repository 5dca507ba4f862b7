//! `waygate servers`: third-party MCP servers of a running hub.

use super::output::{field, table};
use super::{Context, Failure};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use std::process::ExitCode;

#[derive(Debug, Subcommand)]
pub(super) enum ServersCommand {
    /// Register a server: it is asked what it has first.
    Add(ServerArgs),
    /// Ask a server what it has, without registering it.
    Test(ServerArgs),
    /// List the servers of the organisation.
    List,
    /// Remove a server and end its connections.
    Remove {
        /// Id or name of the server.
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct ServerArgs {
    /// First word of its tools' ids: lower-case letters, digits and underscores.
    name: String,
    /// Its address; without one the program behind `--` is run. (`--url` is the hub's.)
    #[arg(long)]
    address: Option<String>,
    /// http, https or sse; the scheme of the address when left out.
    #[arg(long)]
    protocol: Option<String>,
    /// Header with a reference, such as `Authorization=Bearer secret:SERVER_TOKEN`.
    #[arg(long = "header")]
    headers: Vec<String>,
    /// Variable of the program: `NAME=value` or `NAME=secret:SERVER_NAME`.
    #[arg(long = "env")]
    environment: Vec<String>,
    /// Effect of a tool, such as `search=read`; `*=mutate` means all others.
    #[arg(long = "effect")]
    effects: Vec<String>,
    /// Seconds of one call.
    #[arg(long, default_value_t = 300)]
    timeout: u64,
    /// Program and arguments.
    #[arg(last = true)]
    program: Vec<String>,
}

pub(super) async fn run(context: &Context, command: ServersCommand) -> Result<ExitCode, Failure> {
    let client = context.client()?;
    match command {
        ServersCommand::Add(args) => {
            let made = client.post("/gateway/servers", &body(&args)?).await?;
            context.output.show(&made, |made| tools("registered", made));
        }
        ServersCommand::Test(args) => {
            let seen = client.post("/gateway/servers/test", &body(&args)?).await?;
            context.output.show(&seen, |seen| tools("answers", seen));
        }
        ServersCommand::List => {
            let servers = client.get("/gateway/servers").await?;
            context.output.show(&servers, list);
        }
        ServersCommand::Remove { id } => {
            let gone = client.delete(&format!("/gateway/servers/{id}")).await?;
            context.output.show(&gone, |_| format!("{id} is removed"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn body(args: &ServerArgs) -> Result<Value, Failure> {
    let scheme = |url: &String| url.split(':').next().unwrap_or_default().to_owned();
    let protocol = match (&args.protocol, &args.address) {
        (Some(protocol), _) => protocol.clone(),
        (None, Some(url)) => scheme(url),
        (None, None) => "stdio".to_owned(),
    };
    let (command, arguments) = match args.program.split_first() {
        Some((command, arguments)) => (Some(command), arguments),
        None => (None, [].as_slice()),
    };
    Ok(json!({
        "name": args.name,
        "protocol": protocol,
        "url": args.address,
        "command": command,
        "args": arguments,
        "environment": args.environment,
        "credentials": pairs(&args.headers)?,
        "effects": pairs(&args.effects)?,
        "timeout_seconds": args.timeout,
    }))
}

fn pairs(texts: &[String]) -> Result<Map<String, Value>, Failure> {
    let pair = |text: &String| {
        let (name, value) = text.split_once('=')?;
        Some((name.to_owned(), value.into()))
    };
    let pairs = texts.iter().map(pair).collect::<Option<_>>();
    pairs.ok_or_else(|| Failure::failed("--header and --effect take NAME=value"))
}

fn list(servers: &Value) -> String {
    let rows = servers.as_array().into_iter().flatten().map(|server| {
        let count = server.get("tool_count").and_then(Value::as_u64);
        let mut row = ["id", "name", "protocol", "status", "revision"]
            .map(|name| field(server, name).to_owned())
            .to_vec();
        row.push(count.unwrap_or_default().to_string());
        row
    });
    let header = ["ID", "NAME", "PROTOCOL", "STATUS", "REVISION", "TOOLS"];
    table(&header, &rows.collect::<Vec<_>>())
}

fn tools(done: &str, server: &Value) -> String {
    let of = |name: &str| server.get(name).and_then(Value::as_array);
    let rows = of("tools").into_iter().flatten().map(|tool| {
        ["id", "name", "effect"]
            .map(|name| field(tool, name).to_owned())
            .to_vec()
    });
    let listed = table(&["TOOL", "ITS NAME", "EFFECT"], &rows.collect::<Vec<_>>());
    let findings = of("findings").map_or(0, Vec::len);
    format!("the server {done}; {findings} remarks about its tools (see --json)\n{listed}")
}
