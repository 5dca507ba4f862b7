//! `waygate keys`: API keys, over REST or, with `--local`, straight in the store.

use super::output::{field, table};
use super::{Context, Failure};
use crate::audit::Event;
use crate::auth::{Auth, AuthConfig, IssuedKey, KeyKind, NewKey, Permissions, Principal, Role};
use crate::config::{self, Config};
use crate::store::instance::Instance;
use crate::store::{DatabaseUrl, Store, StoreConfig};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use shared::clock::SystemClock;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Make a key. Its text is shown once.
    Create(CreateArgs),
    /// List the keys of the organisation.
    List,
    /// Revoke a key; it stops working within a second.
    Revoke {
        /// Id of the key.
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// For people.
    #[arg(long)]
    name: String,
    /// `admin`, `user`, `viewer` or `api_user`; its permissions are the default.
    #[arg(long, default_value = "api_user")]
    role: String,
    /// Permissions such as `read,execute,approvals:approve`.
    #[arg(long, value_delimiter = ',')]
    permissions: Vec<String>,
    /// Whose key it is: the id or email address of a person, who cannot decide what another key of
    /// theirs asks for.
    #[arg(long)]
    user: Option<String>,
    /// Calls a minute; 0 means unlimited.
    #[arg(long, default_value_t = 100)]
    rate_limit: u32,
    /// Life in days, 1 to 366.
    #[arg(long, default_value_t = 365)]
    expires_in_days: u32,
    /// Open the store directly, as the operator of this machine; the way to the first key.
    #[arg(long)]
    local: bool,
}

pub(super) async fn run(context: &Context, command: KeysCommand) -> Result<ExitCode, Failure> {
    match command {
        KeysCommand::Create(args) if args.local => create_locally(context, &args).await,
        KeysCommand::Create(args) => {
            let body = json!({
                "name": args.name, "role": args.role, "permissions": permissions(&args)?,
                "rate_limit": args.rate_limit, "expires_in_days": args.expires_in_days,
                "user_id": args.user,
            });
            let made = context.client()?.post("/auth/api-keys", &body).await?;
            show_issued(context, &made);
            Ok(ExitCode::SUCCESS)
        }
        KeysCommand::List => {
            let keys = context.client()?.get("/auth/api-keys").await?;
            context.output.show(&keys, list);
            Ok(ExitCode::SUCCESS)
        }
        KeysCommand::Revoke { id } => {
            let gone = context
                .client()?
                .delete(&format!("/auth/api-keys/{id}"))
                .await?;
            context.output.show(&gone, |_| format!("{id} is revoked"));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Opens the store the settings name.
pub(super) async fn open_store(context: &Context) -> Result<(Store, Config), Failure> {
    let loaded = config::load(&context.environment, context.global.config.as_deref())
        .map_err(|error| Failure::config(&error))?;
    let url = loaded
        .config
        .database_url()
        .map_err(|error| Failure::config(&error))?;
    let url = DatabaseUrl::parse(&url).map_err(|error| Failure::config(&error))?;
    let store = Store::open(StoreConfig { url, pool_size: 2 })
        .await
        .map_err(|error| Failure::failed(error.to_string()))?;
    Ok((store, loaded.config))
}

async fn create_locally(context: &Context, args: &CreateArgs) -> Result<ExitCode, Failure> {
    let (store, config) = open_store(context).await?;
    let clock = Arc::new(SystemClock);
    let auth = Auth::new(store.clone(), clock.clone(), AuthConfig::default());
    let operator = Principal::local("cli");
    let issued = auth
        .create_key(&operator, new_key(args)?)
        .await
        .map_err(|error| Failure::failed(error.to_string()))?;
    let instance = Instance::visitor(store.clone(), clock);
    let audit = crate::app::audit_of(&config, &instance)
        .await
        .map_err(|error| Failure::config(&error))?;
    let recorded = audit.event(created(&issued, &operator)).await;
    audit.close().await;
    recorded.map_err(|error| Failure::failed(error.to_string()))?;
    let shown = json!({
        "id": issued.record.id, "name": issued.record.name, "prefix": issued.record.prefix,
        "role": issued.record.role.as_str(),
        "permissions": issued.record.permissions.texts().collect::<Vec<_>>(),
        "key": issued.text.expose(),
    });
    show_issued(context, &shown);
    store.close().await;
    Ok(ExitCode::SUCCESS)
}

fn created(issued: &IssuedKey, operator: &Principal) -> Event {
    Event {
        action: "key.created",
        resource_type: "api_key",
        resource_id: issued.record.id.clone(),
        actor: Arc::clone(&operator.id),
        organization: Arc::from(issued.record.organization.as_str()),
        address: None,
        details: json!({"name": issued.record.name, "role": issued.record.role.as_str()}),
        correlation_id: None,
    }
}

fn new_key(args: &CreateArgs) -> Result<NewKey, Failure> {
    Ok(NewKey {
        kind: KeyKind::User,
        user: args.user.clone(),
        permissions: permissions(args)?,
        rate_limit: args.rate_limit,
        expires_in_days: args.expires_in_days,
        role: role(args)?,
        ..NewKey::named(args.name.clone())
    })
}

fn role(args: &CreateArgs) -> Result<Role, Failure> {
    Role::parse(&args.role)
        .ok_or_else(|| Failure::new(2, "--role must be admin, user, viewer or api_user"))
}

fn permissions(args: &CreateArgs) -> Result<Vec<String>, Failure> {
    if args.permissions.is_empty() {
        return Ok(Permissions::of_role(role(args)?).texts().collect());
    }
    Ok(args.permissions.clone())
}

fn show_issued(context: &Context, made: &Value) {
    context.output.show(made, |made| {
        format!(
            "{}\n\nid {}, role {}. The key is shown this once; only its hash is kept.",
            field(made, "key"),
            field(made, "id"),
            field(made, "role")
        )
    });
}

fn list(keys: &Value) -> String {
    let rows: Vec<Vec<String>> = keys
        .as_array()
        .into_iter()
        .flatten()
        .map(|key| {
            let permissions: Vec<&str> = key
                .get("permissions")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            let state = if key
                .get("is_active")
                .and_then(Value::as_bool)
                .unwrap_or(false)
            {
                "active"
            } else {
                "revoked"
            };
            let text = |name| field(key, name).to_owned();
            vec![
                text("id"),
                text("name"),
                text("prefix"),
                state.into(),
                permissions.join(","),
                text("last_used_at"),
            ]
        })
        .collect();
    table(
        &["ID", "NAME", "PREFIX", "STATE", "MAY", "LAST USED"],
        &rows,
    )
}
