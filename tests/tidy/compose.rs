//! What every container of `docker-compose.yml` keeps to, and that images are pinned.
//!
//! Reads the file as data; that Docker enforces what it says is proved by running it.

use serde_yaml_ng::{Mapping, Value};

use crate::manifests;
use crate::tree::Tree;

/// Compose name of the hub, the only holder of the signing key.
const HUB: &str = "00_master_mcp";
const SIGNING_KEY: &str = "call_key";
const NETWORK: &str = "mcp-network";

/// Complaints about a compose file.
pub(crate) fn complaints(text: &str) -> Vec<String> {
    let compose = parse(text);
    let mut complaints = Vec::new();
    for (name, service) in services(&compose) {
        let mut say = |what: &str| complaints.push(format!("docker-compose.yml: {name}: {what}"));
        privileges(name, service, &mut say);
        network(service, &mut say);
        secrets(name, service, &compose, &mut say);
        upkeep(service, &mut say);
    }
    complaints
}

/// Folders of `services/` without a container built from the target of their crate, and the hub.
pub(crate) fn missing_containers(tree: &Tree) -> Vec<String> {
    let compose = parse(tree.text("docker-compose.yml"));
    let dockerfile = tree.text("deploy/docker/Dockerfile");
    let folders = manifests::folders(tree)
        .into_iter()
        .map(|folder| (folder.clone(), format!("spoke_{folder}")));
    let mut complaints = Vec::new();
    for (name, target) in folders.chain([(HUB.to_owned(), "waygate".to_owned())]) {
        let service = services(&compose).find(|(service, _)| *service == name);
        let built = service.and_then(|(_, it)| it.get("build")?.get("target")?.as_str());
        if built != Some(target.as_str()) {
            complaints.push(format!(
                "docker-compose.yml: {name}: no build of target {target}"
            ));
        }
        if !dockerfile
            .lines()
            .any(|line| line.ends_with(&format!(" AS {target}")))
        {
            complaints.push(format!("Dockerfile: no target {target}"));
        }
    }
    complaints
}

/// Complaints about `FROM` lines and their arguments without an exact tag.
pub(crate) fn unpinned(dockerfile: &str) -> Vec<String> {
    let mut stages = Vec::new();
    let mut complaints = Vec::new();
    for line in dockerfile.lines() {
        if let Some((name, image)) = line.strip_prefix("ARG ").and_then(|it| it.split_once('='))
            && name.ends_with("_IMAGE")
            && !is_pinned(image)
        {
            complaints.push(format!("Dockerfile: {name} has no exact tag"));
        }
        let Some(from) = line.strip_prefix("FROM ") else {
            continue;
        };
        let mut words = from.split_whitespace();
        let image = words.next().unwrap_or_default();
        if !image.starts_with("${") && !stages.contains(&image) && !is_pinned(image) {
            complaints.push(format!("Dockerfile: {image} has no exact tag"));
        }
        stages.extend(words.nth(1));
    }
    complaints
}

/// The file with its `<<` merged, those inside merged parts too.
fn parse(text: &str) -> Value {
    let mut compose: Value = serde_yaml_ng::from_str(text).expect("compose is YAML");
    for _ in 0..4 {
        compose.apply_merge().expect("compose merges");
    }
    compose
}

fn services(compose: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let services = compose.get("services").and_then(Value::as_mapping);
    services
        .into_iter()
        .flatten()
        .filter_map(|(name, service)| Some((name.as_str()?, service)))
}

fn privileges(name: &str, service: &Value, say: &mut impl FnMut(&str)) {
    if service
        .get("privileged")
        .is_some_and(|it| it.as_bool() != Some(false))
    {
        say("privileged");
    }
    let ours = name.starts_with(|it: char| it.is_ascii_digit());
    match service.get("user").and_then(Value::as_str) {
        Some("1000:1000") => {}
        Some(user) if !ours && !user.starts_with("0") && !user.starts_with("root") => {}
        _ => say("does not run as user 1000:1000"),
    }
    if strings(service.get("cap_drop")) != ["ALL"] {
        say("cap_drop is not ALL");
    }
    let nginx = name == "nginx";
    if strings(service.get("cap_add"))
        .iter()
        .any(|it| !nginx || it != "NET_BIND_SERVICE")
    {
        say("adds capabilities");
    }
    let options = strings(service.get("security_opt"));
    if !options.iter().any(|it| it == "no-new-privileges:true") {
        say("may gain privileges");
    }
    if options.iter().any(|it| it.ends_with("unconfined")) {
        say("is unconfined");
    }
    if service.get("read_only").and_then(Value::as_bool) != Some(true) {
        say("its root is writable");
    }
    if strings(service.get("volumes"))
        .iter()
        .any(|it| it.contains("docker.sock"))
    {
        say("has the Docker socket");
    }
    if service.get("devices").is_some() {
        say("has devices");
    }
}

fn network(service: &Value, say: &mut impl FnMut(&str)) {
    for key in ["network_mode", "pid", "ipc", "userns_mode", "uts"] {
        if service.get(key).is_some() {
            say(&format!("sets {key}"));
        }
    }
    let listed = match service.get("networks") {
        Some(Value::Mapping(networks)) => networks.contains_key(NETWORK),
        other => strings(other).iter().any(|it| it == NETWORK),
    };
    if !listed {
        say("is not on mcp-network");
    }
    for port in strings(service.get("ports")) {
        if !port.starts_with("127.0.0.1:") {
            say(&format!("publishes {port} on every address"));
        }
    }
}

fn secrets(name: &str, service: &Value, compose: &Value, say: &mut impl FnMut(&str)) {
    for volume in strings(service.get("volumes")) {
        if volume.starts_with("./secrets") && !volume.ends_with(":ro") {
            say(&format!("{volume} is not read-only"));
        }
    }
    for secret in strings(service.get("secrets")) {
        if compose
            .get("secrets")
            .and_then(|it| it.get(&secret))
            .is_none()
        {
            say(&format!("secret {secret} is not declared"));
        }
        if secret == SIGNING_KEY && name != HUB {
            say("holds the signing key");
        }
        let path = format!("/run/secrets/{secret}");
        if !environment(service).any(|(_, value)| value == path) {
            say(&format!("secret {secret} is mounted and not used"));
        }
    }
    for (key, value) in environment(service) {
        let sensitive = ["SECRET", "PASSWORD", "TOKEN", "KEY"]
            .iter()
            .any(|it| key.contains(it));
        let path = key.ends_with("_PATH") || key.ends_with("_FILE");
        let setting = key.ends_with("_TTL") || key.ends_with("_HEADER");
        if sensitive && !path && !setting && !value.is_empty() {
            say(&format!("{key} is given in clear"));
        }
    }
}

fn upkeep(service: &Value, say: &mut impl FnMut(&str)) {
    if service
        .get("healthcheck")
        .and_then(|it| it.get("test"))
        .is_none()
    {
        say("has no health check");
    }
    if !service
        .get("image")
        .and_then(Value::as_str)
        .is_some_and(is_pinned)
    {
        say("its image has no exact tag");
    }
    let limits = service
        .get("deploy")
        .and_then(|it| it.get("resources")?.get("limits"));
    if !["cpus", "memory"]
        .iter()
        .all(|it| limits.is_some_and(|limits| limits.get(*it).is_some()))
    {
        say("has no limit of processor and memory");
    }
    if service.get("pids_limit").is_none() {
        say("has no limit of processes");
    }
    let log = service.get("logging").and_then(|it| it.get("options"));
    if log.and_then(|it| it.get("max-size")).is_none() {
        say("its log grows without end");
    }
}

fn is_pinned(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or_default();
    let tag = name.split_once(':').map(|(_, tag)| tag).unwrap_or_default();
    let tag = tag
        .split_once(":-")
        .map_or(tag, |(_, default)| default.trim_end_matches('}'));
    !tag.starts_with("latest") && tag.chars().any(|it| it.is_ascii_digit())
}

fn environment(service: &Value) -> impl Iterator<Item = (&str, String)> {
    let pairs = service.get("environment").and_then(Value::as_mapping);
    pairs
        .into_iter()
        .flat_map(Mapping::iter)
        .filter_map(|(key, value)| Some((key.as_str()?, text(value))))
}

fn strings(list: Option<&Value>) -> Vec<String> {
    list.and_then(Value::as_sequence)
        .into_iter()
        .flatten()
        .map(text)
        .collect()
}

/// A scalar as text; a long-form entry as its YAML.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => serde_yaml_ng::to_string(other)
            .unwrap_or_default()
            .trim()
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
services:
  01_x_mcp:
    image: waygate/01:0.1.0
    user: "1000:1000"
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    networks: [mcp-network]
    ports: ["127.0.0.1:1:1"]
    secrets: [spoke_token]
    environment: { WAYGATE_SPOKE_TOKEN_PATH: /run/secrets/spoke_token }
    volumes: ["./secrets/a:/a:ro"]
    healthcheck: { test: [CMD, x] }
    pids_limit: 1
    logging: { options: { max-size: 10m } }
    deploy: { resources: { limits: { cpus: "1", memory: 1M } } }
secrets: { spoke_token: { file: ./secrets/spoke_token } }
"#;

    #[test]
    fn a_container_that_keeps_the_rules_is_left_alone() {
        assert_eq!(complaints(GOOD), Vec::<String>::new());
    }

    #[test]
    fn each_broken_rule_is_found() {
        for (from, to) in [
            ("    user: \"1000:1000\"\n", ""),
            ("1000:1000", "0:0"),
            ("read_only: true", "read_only: false"),
            ("[ALL]", "[NET_RAW]"),
            ("cap_drop:", "cap_add: [SYS_ADMIN]\n    cap_drop:"),
            ("cap_drop:", "privileged: true\n    cap_drop:"),
            ("cap_drop:", "network_mode: host\n    cap_drop:"),
            ("cap_drop:", "pid: host\n    cap_drop:"),
            (
                "\"no-new-privileges:true\"",
                "\"no-new-privileges:true\", \"seccomp:unconfined\"",
            ),
            ("[\"no-new-privileges:true\"]", "[]"),
            ("[mcp-network]", "[other]"),
            ("127.0.0.1:1:1", "1:1"),
            ("./secrets/a:/a:ro", "./secrets/a:/a"),
            ("./secrets/a:/a:ro", "/var/run/docker.sock:/s:ro"),
            ("secrets: [spoke_token]", "secrets: [call_key]"),
            (
                "    environment: { WAYGATE_SPOKE_TOKEN_PATH: /run/secrets/spoke_token }\n",
                "",
            ),
            ("{ WAYGATE_SPOKE", "{ SSH_PASSWORD: hunter2, WAYGATE_SPOKE"),
            ("    healthcheck: { test: [CMD, x] }\n", ""),
            ("01:0.1.0", "01:latest"),
            ("01:0.1.0", "01"),
            ("    pids_limit: 1\n", ""),
            ("max-size", "max-file"),
            ("cpus: \"1\", ", ""),
        ] {
            assert!(GOOD.contains(from), "{from} is not in the good example");
            assert!(
                !complaints(&GOOD.replace(from, to)).is_empty(),
                "{from} -> {to}"
            );
        }
    }

    #[test]
    fn images_without_an_exact_tag_are_found() {
        let good = "ARG B_IMAGE=rust:1.95.0\nFROM ${B_IMAGE} AS build\nFROM build AS waygate\n";
        assert!(unpinned(good).is_empty());
        for bad in [
            "FROM debian",
            "FROM debian:latest",
            "ARG B_IMAGE=rust:slim",
            "FROM a AS b",
        ] {
            assert_eq!(unpinned(bad).len(), 1, "{bad}");
        }
    }
}
