//! `linux.sshExecuteCommand` against a real server.

use crate::running::{Linux, lives, until, with};
use proto::spoke::Effect;
use serde_json::{Value, json};
use shared::error::Code;
use tests::sshd::Sshd;

const SSH: &str = "linux.sshExecuteCommand";
const HOST: &str = "127.0.0.1";

/// A spoke that may reach a server, with these files.
async fn reaching(key: &std::path::Path, known_hosts: &std::path::Path, commands: &str) -> Linux {
    let user = Sshd::user();
    with(&[
        ("SSH_HOSTS", HOST),
        ("SSH_USER", &user),
        ("SSH_KEY_SECRET_PATH", key.to_str().unwrap()),
        ("SSH_KNOWN_HOSTS_PATH", known_hosts.to_str().unwrap()),
        ("ALLOWED_COMMANDS", commands),
        ("ALLOWED_READ_PATHS", "/etc"),
    ])
    .await
}

fn arguments(sshd: &Sshd, command: &str) -> Value {
    json!({"target_host": HOST, "port": sshd.port, "remote_command": command})
}

/// Acceptance: 39
#[tokio::test]
async fn a_command_on_another_host_gives_its_output_and_exit_code() {
    let sshd = Sshd::start();
    let mut linux = reaching(&sshd.key(), &sshd.known_hosts(HOST), "echo,cat,false").await;
    let result = linux.call(SSH, arguments(&sshd, "echo hi")).await;
    let result = result.unwrap_or_else(|error| panic!("{error}\n{}", sshd.log()));
    assert_eq!(
        (&result["stdout"], &result["exit_code"]),
        (&json!("hi\n"), &json!(0))
    );
    assert_eq!(
        (&result["host"], &result["read_only"]),
        (&json!(HOST), &json!(true))
    );
    assert_eq!(result["command_executed"], "'echo' 'hi'");

    let result = linux
        .approved(SSH, arguments(&sshd, "cat /etc/absent-file"))
        .await
        .unwrap();
    assert_eq!(result["exit_code"], 1);
    assert!(result["stderr"].as_str().unwrap().contains("absent-file"));

    // Nothing is left for the shell over there to act on.
    let line = r#"echo '$(id)' 'a;b' "it's" '*' '`id`' '>x'"#;
    let result = linux.call(SSH, arguments(&sshd, line)).await.unwrap();
    assert_eq!(result["stdout"], "$(id) a;b it's * `id` >x\n");
}

/// Acceptance: 39
#[tokio::test]
async fn a_host_is_refused_unless_it_is_listed_and_shows_its_known_key() {
    let sshd = Sshd::start();
    let nobody = tempfile::NamedTempFile::new().unwrap();
    for (known_hosts, said) in [
        (nobody.path().to_owned(), "the host key is not known"),
        (sshd.wrong_known_hosts(HOST), "the host showed another key"),
    ] {
        let mut linux = reaching(&sshd.key(), &known_hosts, "echo").await;
        let error = linux
            .call(SSH, arguments(&sshd, "echo hi"))
            .await
            .unwrap_err();
        assert_eq!(error.code, Code::PolicyViolation, "{error}");
        assert!(error.message.contains(said), "{error}");
    }
    let mut linux = reaching(&sshd.key(), &sshd.known_hosts(HOST), "echo").await;
    for host in [
        "localhost",
        "-oProxyCommand=id",
        "127.0.0.1 ",
        "root@127.0.0.1",
    ] {
        let mut arguments = arguments(&sshd, "echo hi");
        arguments["target_host"] = json!(host);
        let error = linux.call(SSH, arguments).await.unwrap_err();
        assert_eq!(error.code, Code::PolicyViolation, "{host}: {error}");
        assert!(error.message.contains("SSH_HOSTS"), "{error}");
    }
}

#[tokio::test]
async fn a_user_the_host_does_not_know_is_refused() {
    let sshd = Sshd::start();
    let mut linux = reaching(&sshd.other_key(), &sshd.known_hosts(HOST), "echo").await;
    let error = linux
        .call(SSH, arguments(&sshd, "echo hi"))
        .await
        .unwrap_err();
    assert_eq!(error.code, Code::BadGateway);
    assert!(
        error.did_not_run && error.message.contains("refused the user or the key"),
        "{error}"
    );
    let mut arguments = arguments(&sshd, "echo hi");
    arguments["user"] = json!("-x");
    let error = linux.call(SSH, arguments).await.unwrap_err();
    assert_eq!(error.details.unwrap()["field"], "user");
}

#[tokio::test]
async fn the_same_policy_holds_over_there() {
    let sshd = Sshd::start();
    let mut linux = reaching(&sshd.key(), &sshd.known_hosts(HOST), "echo,cat,rm,ls").await;
    for (command, code) in [
        ("echo a; id", Code::PolicyViolation),
        ("curl x", Code::PolicyViolation),
        ("rm -rf /", Code::PolicyViolation),
        ("bash -c id", Code::PolicyViolation),
        ("vim x", Code::InteractiveRefused),
        ("cat /srv/x", Code::ApprovalRequired),
        ("cat /etc/../srv/x", Code::ApprovalRequired),
        ("ls", Code::ApprovalRequired),
    ] {
        let error = linux
            .call(SSH, arguments(&sshd, command))
            .await
            .unwrap_err();
        assert_eq!(error.code, code, "{command}: {error}");
    }
    let assessment = linux.assess(SSH, arguments(&sshd, "rm /etc/x")).await;
    assert_eq!(assessment.effect(), Effect::Mutate);
    for part in ["127.0.0.1 port", "host key SHA256:", "[0] rm\n[1] /etc/x"] {
        assert!(assessment.summary.contains(part), "{}", assessment.summary);
    }
}

#[tokio::test]
async fn a_command_over_there_is_stopped_in_time_and_when_its_caller_goes_away() {
    let sshd = Sshd::start();
    let mut linux = reaching(&sshd.key(), &sshd.known_hosts(HOST), "sleep").await;
    let mut limited = arguments(&sshd, "sleep 31602");
    limited["timeout"] = json!(1);
    let error = linux.approved(SSH, limited).await.unwrap_err();
    assert_eq!(error.code, Code::Timeout);
    assert!(until(|| !lives("31602")).await);
    {
        let running = linux.approved(SSH, arguments(&sshd, "sleep 31603"));
        tokio::pin!(running);
        tokio::select! {
            ended = &mut running => panic!("ended by itself: {ended:?}"),
            started = until(|| lives("31603")) => assert!(started),
        }
    }
    assert!(until(|| !lives("31603")).await);
}

#[tokio::test]
async fn the_ssh_program_is_held_to_the_known_keys_too() {
    let sshd = Sshd::start();
    let line = |host: &str| {
        let (port, user, key) = (sshd.port, Sshd::user(), sshd.key());
        format!(
            "ssh -p {port} -l {user} -i {} {host} echo hi",
            key.display()
        )
    };
    let run = "os.linux.runCommand";
    let mut linux = reaching(&sshd.key(), &sshd.known_hosts(HOST), "ssh,echo").await;
    let arguments = json!({"command": line(HOST)});
    let error = linux.call(run, arguments.clone()).await.unwrap_err();
    assert_eq!(error.code, Code::ApprovalRequired);
    let result = linux.approved(run, arguments.clone()).await.unwrap();
    assert_eq!(result["stdout"], "hi\n", "{result}");
    let elsewhere = json!({"command": line("localhost")});
    let error = linux.approved(run, elsewhere).await.unwrap_err();
    assert!(error.message.contains("SSH_HOSTS"), "{error}");
    let mut linux = reaching(&sshd.key(), &sshd.wrong_known_hosts(HOST), "ssh,echo").await;
    let result = linux.approved(run, arguments).await.unwrap();
    assert_eq!(result["exit_code"], 255, "{result}");
    assert_eq!(result["stdout"], "");
}

#[tokio::test]
async fn what_is_not_set_is_named() {
    let sshd = Sshd::start();
    let call = arguments(&sshd, "echo hi");
    let known_hosts = sshd.known_hosts(HOST).display().to_string();
    let mut variables = vec![];
    for (name, value) in [
        ("SSH_HOSTS", HOST),
        ("SSH_USER", "someone"),
        ("SSH_KNOWN_HOSTS_PATH", known_hosts.as_str()),
        ("SSH_KEY_SECRET_PATH", ""),
    ] {
        let error = with(&variables)
            .await
            .call(SSH, call.clone())
            .await
            .unwrap_err();
        assert_eq!(error.code, Code::NotConfigured);
        assert_eq!(error.message, format!("not configured: set {name}"));
        variables.push((name, value));
    }
}
