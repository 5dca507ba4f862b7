//! What another spoke does with a reference: its tool gets the value, everybody else the reference.

use crate::running::{now, with};
use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::config::Environment;
use shared::error::Code;
use shared::spoke::{Parts, Running, StartOptions, start};
use shared::testkit::{HubClient, HubIdentity, SPOKE_TOKEN, TEST_SERVICE};
use shared::tool::{Assessment, Call, Effect, Spec, ToolError, TypedTool, boxed};

const SETTINGS: &[(&str, &str)] = &[
    ("SECRETS_ENV_ALLOW", "DB_PASSWORD"),
    ("DB_PASSWORD", "correct \"horse\""),
];

/// A tool of another spoke that takes a password.
struct SignIn;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// Whose.
    #[serde(default)]
    user: String,
    /// A secret, or a reference to one.
    #[serde(default)]
    #[schemars(extend("writeOnly" = true))]
    password: String,
}

#[derive(Serialize, JsonSchema)]
struct Signed {
    good: bool,
    /// What careless tools do.
    echo: String,
    user: String,
}

#[async_trait]
impl TypedTool for SignIn {
    type Arguments = Arguments;
    type Output = Signed;

    fn spec(&self) -> Spec {
        Spec::new("test.echo", Effect::Read, "Sign in.")
    }

    async fn assess(&self, arguments: &Arguments, _: &Call) -> Result<Assessment, ToolError> {
        Ok(Assessment::of(
            Effect::Read,
            format!("sign in with {}", arguments.password),
        ))
    }

    async fn run(&self, arguments: Arguments, _: &Call) -> Result<Signed, ToolError> {
        if arguments.user == "nobody" {
            let message = format!("{} is wrong", arguments.password);
            return Err(ToolError::new(Code::InvalidCredentials, message));
        }
        Ok(Signed {
            good: arguments.password == "correct \"horse\"",
            echo: arguments.password,
            user: arguments.user,
        })
    }
}

/// Another spoke that shares the key with ours.
async fn other() -> (Running, HubClient, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let identity = HubIdentity::generate();
    std::fs::write(path("token"), SPOKE_TOKEN).unwrap();
    std::fs::write(path("key.pub"), identity.public_key()).unwrap();
    let environment = Environment::from([
        ("WAYGATE_SPOKE_TOKEN_PATH", path("token")),
        ("WAYGATE_CALL_PUBLIC_KEY_PATH", path("key.pub")),
        ("WAYGATE_DATA_DIR", path("data")),
    ]);
    let mut options = StartOptions::new(environment);
    options.listen = Some(([127, 0, 0, 1], 0).into());
    options.parts = Some(Parts {
        tools: vec![boxed(SignIn).unwrap()],
        checks: Vec::new(),
    });
    let running = start(&TEST_SERVICE, options).await.unwrap();
    let hub = HubClient::connect(running.address, Some(SPOKE_TOKEN), identity).await;
    (running, hub, folder)
}

async fn reference(rules: &str) -> String {
    let mut secrets = with(rules, SETTINGS).await;
    let name = json!({"secretName": "env-DB_PASSWORD"});
    let found = secrets.call("secrets.getSecret", name).await.unwrap();
    found["ref"].as_str().unwrap().to_owned()
}

const HANDLE: &str = "rules: [{principal: 'key:1', name: 'env-*', mode: handle}]";

/// Acceptance: 56
#[tokio::test]
async fn the_tool_of_another_spoke_gets_the_value_and_cannot_show_it() {
    let (_running, mut hub, _folder) = other().await;
    let reference = reference(HANDLE).await;
    let arguments = json!({"user": "anna", "password": reference});
    let signed: Value = hub.call(&now("test.echo", &arguments)).await.unwrap();
    assert_eq!(
        signed,
        json!({"good": true, "echo": "[redacted]", "user": "anna"})
    );
    let wrong = json!({"user": "nobody", "password": reference});
    let error = hub.call(&now("test.echo", &wrong)).await.unwrap_err();
    assert_eq!(error.message, "[redacted] is wrong");
    let seen = hub.assess(&now("test.echo", &arguments)).await.unwrap();
    assert!(seen.summary.contains("secretref://env-DB_PASSWORD"));
    assert!(!seen.summary.contains("horse"));
}

#[tokio::test]
async fn another_field_or_principal_or_service_does_not_open_it() {
    let (_running, mut hub, _folder) = other().await;
    let reference = reference(HANDLE).await;
    let elsewhere = json!({"user": reference, "password": "x"});
    let signed: Value = hub.call(&now("test.echo", &elsewhere)).await.unwrap();
    assert_eq!(signed["user"], reference, "not a field for secrets");
    let arguments = json!({"password": reference});
    let mut call = now("test.echo", &arguments);
    call.principal = "key:2".into();
    let error = hub.call(&call).await.unwrap_err();
    assert_eq!(
        (error.code, error.did_not_run),
        (Code::InvalidInput, true),
        "{error}"
    );
    let only = "rules: [{service: 03_azure_mcp, name: 'env-*', mode: handle}]";
    let arguments = json!({"password": crate::references::reference(only).await});
    let error = hub.call(&now("test.echo", &arguments)).await.unwrap_err();
    assert!(error.message.contains("for another service"), "{error}");
}
