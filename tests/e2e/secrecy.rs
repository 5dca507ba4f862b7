//! Secrets that are planted wherever a caller can put them, and those of the installation itself,
//! looked for in everything that is written.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::path::Path;
use tests::host::Host;
use tests::stack::Stack;

/// One of each kind that is told by its form.
const PLANTED: [&str; 12] = [
    "AKIAIOSFODNN7CANARY1",
    "ghp_canarycanarycanarycanarycanary123456",
    "glpat-canarycanarycanary1234",
    "xoxb-1234567890-canarycanary",
    "AIzaSyCanaryCanaryCanaryCanaryCanary1234",
    "sk-canarycanarycanarycanary12",
    "sk_live_canarycanarycanary12",
    "hvs.canarycanarycanarycanary12",
    "npm_canarycanarycanarycanarycanary123456",
    "eyJhbGciOiJub25lIn0.eyJjYW5hcnkiOiJ5ZXMifQ.c2lnbmF0dXJl",
    "wgk_abcdefgh_canarycanarycanarycanary",
    "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5Y2FuYXJ5\n-----END PRIVATE KEY-----",
];

/// How a value may be written down.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let bytes = secret.as_bytes();
    let hex = |upper: bool| -> String {
        let each = |byte: &u8| match upper {
            true => format!("{byte:02X}"),
            false => format!("{byte:02x}"),
        };
        bytes.iter().map(each).collect()
    };
    let percent: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
    [
        secret.to_owned(),
        serde_json::to_string(secret)
            .unwrap()
            .trim_matches('"')
            .to_owned(),
        STANDARD.encode(bytes).trim_end_matches('=').to_owned(),
        URL_SAFE_NO_PAD.encode(bytes),
        hex(false),
        hex(true),
        percent,
    ]
    .map(String::into_bytes)
    .into()
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Every file below a folder, but those whose job is to hold a secret.
fn written(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "secrets") {
                folders.push(path);
            } else if path.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                found.push((path.display().to_string(), bytes));
            }
        }
    }
    found
}

/// Attack T19. Acceptance: 360
#[tokio::test]
async fn planted_secrets_appear_nowhere() {
    let mut stack = Stack::start(&[1, 12], &[]);
    let files = stack.files();
    let folder = files.parent().unwrap();
    let host = Host::new(&stack.url, &stack.agent);
    for canary in PLANTED {
        let answers = [
            call(
                &host,
                "os.linux.cli.readFile",
                json!({"path": format!("/etc/{canary}")}),
            )
            .await,
            call(
                &host,
                "os.linux.runCommand",
                json!({"command": format!("echo {canary}")}),
            )
            .await,
            call(&host, "cmdb.local.getServer", json!({"server_id": canary})).await,
            call(&host, canary.lines().next().unwrap(), json!({})).await,
        ];
        // None may have been turned away for its form alone, before it came anywhere.
        assert!(answers.contains(&200), "{canary}: {answers:?}");
        let strange = Host::new(&stack.url, canary.lines().next().unwrap());
        assert!([400, 401].contains(&strange.get("/mcp/tools").await.status));
    }
    let metrics = Host::new(&stack.url, "").get("/metrics").await;
    assert_eq!(metrics.status, 200);
    let audit = stack.cli(&stack.operator, &["audit", "export"]);
    assert!(
        holds(&audit.stdout, b"os.linux.runCommand"),
        "nothing was recorded"
    );
    let mut all = written(folder);
    assert!(all.iter().any(|(name, _)| name.ends_with("waygate.db")));
    all.push(("audit export".into(), audit.stdout));
    all.push(("log of the hub".into(), stack.hub.log().into_bytes()));
    for number in [1, 12] {
        let log = stack.spoke(number).log().into_bytes();
        all.push((format!("log of spoke {number}"), log));
    }
    for process in processes(&stack) {
        let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap();
        all.push((format!("command line of {process}"), line));
    }
    let secrets = folder.join("secrets");
    let installed = ["secret_key", "spoke_token"].map(|name| {
        let text = std::fs::read_to_string(secrets.join(name)).unwrap();
        text.trim().to_owned()
    });
    let own = [stack.agent.clone(), stack.operator.clone()];
    let planted = PLANTED.map(str::to_owned);
    for secret in planted.iter().chain(&own).chain(&installed) {
        let forms = forms(secret);
        let found = all
            .iter()
            .find(|(_, bytes)| forms.iter().any(|form| holds(bytes, form)));
        let place = found.map(|(place, _)| place);
        assert_eq!(place, None, "{secret:?} stands there");
    }
}

async fn call(host: &Host, tool: &str, arguments: Value) -> u16 {
    host.call(tool, arguments, json!({})).await.status
}

fn processes(stack: &Stack) -> Vec<u32> {
    let spokes = stack.spokes.iter().map(|(_, process)| process.pid());
    spokes.chain([stack.hub.pid()]).collect()
}
