//! The policy against its own examples, and against tables of attacks.

mod made_up;
mod write_watch;

use super::*;
use std::sync::LazyLock;
use tempfile::TempDir;

const LISTED: [&str; 11] = [
    "ls", "cat", "grep", "ps", "df", "echo", "stat", "head", "tail", "find", "ssh",
];

/// Lines nobody may approve.
const FORBIDDEN: &str = include_str!("tests/forbidden.txt");

static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::parse(rules::BUILT_IN).unwrap());
static USUAL: LazyLock<Policy> = LazyLock::new(|| Policy::new(LISTED).unwrap());

/// Every program that has a rule, and those of the catalogue's default list.
fn wide() -> Policy {
    let rules = &*RULES;
    Policy::new(rules.read.keys().map(String::as_str).chain(LISTED)).unwrap()
}

fn with(programs: &[&str]) -> Policy {
    Policy::new(LISTED.iter().chain(programs).copied()).unwrap()
}

/// Judges a line as if it ran in `/etc`, which may be read, as may `/var/log` and `/tmp`.
fn judge(policy: &Policy, line: &str) -> Result<Verdict, Refusal> {
    let read = Roots::new(["/etc", "/var/log", "/tmp"], "ALLOWED_READ_PATHS");
    let directory = Path::new("/etc");
    let scene = Scene::Here {
        read: &read,
        directory,
    };
    policy.judge(&split(line).map_err(Refusal::Words)?, &scene)
}

fn reads(policy: &Policy, line: &str) -> bool {
    judge(policy, line).is_ok_and(|verdict| verdict.effect == Effect::Read)
}

/// Every program in a list of lines.
fn programs(lines: &str) -> Vec<&str> {
    let words = lines
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    words.filter(|word| *word != "#").collect()
}

#[test]
fn every_rule_takes_its_examples_and_nothing_else() {
    let rules = &*RULES;
    let inside = TempDir::new().unwrap();
    let outside = TempDir::new().unwrap();
    let [inside, outside] = [&inside, &outside].map(|directory| directory.path().to_owned());
    for name in ["a", "b", "x", "secret"] {
        std::fs::write(inside.join(name), "x").unwrap();
        std::fs::write(outside.join(name), "x").unwrap();
    }
    let policy = wide();
    let read = Roots::new([&inside], "ALLOWED_READ_PATHS");
    let scene = Scene::Here {
        read: &read,
        directory: &inside,
    };
    let effect = |line: &String| {
        let line = line
            .replace("{in}", inside.to_str().unwrap())
            .replace("{out}", outside.to_str().unwrap());
        let verdict = policy.judge(&split(&line).unwrap(), &scene).unwrap();
        (verdict.effect, verdict.reason)
    };
    for examples in &rules.examples {
        for line in &examples.reads {
            assert_eq!(effect(line), (Effect::Read, String::new()), "{line}");
        }
        for line in &examples.asks {
            let (effect, reason) = effect(line);
            assert_eq!(effect, Effect::Mutate, "{line}");
            assert!(!reason.is_empty(), "{line}");
        }
    }
    assert_eq!(rules.examples.len(), 18);
}

/// Acceptance: 33
#[test]
fn sixty_ways_to_reach_a_shell_reach_none() {
    let tails = [
        "; rm -rf /",
        ";id",
        "& id",
        "&& id",
        "|| id",
        "| sh",
        "|& sh",
        "> /tmp/x",
        ">> /tmp/x",
        "2>&1",
        "< /etc/shadow",
        "<< EOF",
        "<<< x",
        "<(id)",
        ">(id)",
        "`id`",
        "$(id)",
        "${IFS}id",
        "\nid",
        "\r\nid",
        "\"$(id)\"",
        "\"`id`\"",
        "\"${x}\"",
        "\\;id",
        "\\`id\\`",
        "\\$(id)",
        "\"a;b\"",
        "\"a|b\"",
        "a\\\nb",
        "$((1+1))",
        "\"\n\"",
        "x&",
        "a;",
        ";",
        "&",
        "|",
    ];
    let policy = wide();
    let mut count = 0;
    for tail in tails {
        for line in [format!("echo a {tail}"), format!("ls /etc{tail}")] {
            count += 1;
            let refusal = judge(&policy, &line).unwrap_err();
            let error = ToolError::from(refusal);
            assert_eq!(error.code, Code::PolicyViolation, "{line:?}");
            assert!(
                error.message.contains("is refused outside single quotes"),
                "{line:?}"
            );
        }
    }
    assert!(count >= 60, "{count}");
    for quoted in [
        "'a;b'",
        "'$(id)'",
        "'`id`'",
        "'a|b>c<d&'",
        "'\n'",
        "* ~ {a,b} ! # $HOME",
    ] {
        assert!(reads(&policy, &format!("echo {quoted}")), "{quoted}");
    }
}

/// Acceptance: 33
#[test]
fn a_shell_or_a_program_that_runs_another_is_never_allowed() {
    for program in [
        "sh",
        "bash",
        "busybox",
        "env",
        "xargs",
        "sudo",
        "timeout",
        "ld-linux-x86-64.so.2",
    ] {
        assert!(Policy::new([program]).is_err(), "{program}");
        let refusal = judge(&wide(), &format!("{program} -c id")).unwrap_err();
        assert!(matches!(refusal, Refusal::Forbidden(_)), "{program}");
    }
    for name in ["", "/bin/ls", "a/b"] {
        assert!(Policy::new([name]).is_err(), "{name:?}");
    }
}

#[test]
fn no_dangerous_use_is_taken_for_a_read() {
    let table = include_str!("tests/dangerous_uses.txt");
    let rules = &*RULES;
    let may_be_listed = |program: &&str| rules.check_program(program).is_ok();
    let policy = Policy::new(programs(table).into_iter().filter(may_be_listed)).unwrap();
    let uses: Vec<_> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert!(uses.len() >= 200, "{}", uses.len());
    for line in uses {
        let verdict = judge(&policy, line);
        let not_listed = matches!(verdict, Err(Refusal::NotAllowed { .. }));
        assert!(
            !not_listed,
            "{line}: the table must test the rules, not the list"
        );
        assert!(!reads(&policy, line), "{line}");
    }
}

/// Acceptance: 34
#[test]
fn a_program_outside_the_list_is_refused_with_the_reason() {
    let error = ToolError::from(judge(&with(&[]), "curl http://x/").unwrap_err());
    assert_eq!(error.code, Code::PolicyViolation);
    assert!(
        error
            .message
            .contains("\"curl\" is not in ALLOWED_COMMANDS (cat, df, "),
        "{error}"
    );
    assert!(error.did_not_run);
    for line in [
        "/bin/ls /etc",
        "./ls",
        "LS /etc",
        "ls\u{200b} /etc",
        "'' x",
        "'ls ' /etc",
    ] {
        assert!(
            matches!(judge(&with(&[]), line), Err(Refusal::NotAllowed { .. })),
            "{line}"
        );
    }
}

#[test]
fn what_waits_for_a_terminal_is_refused_with_something_better() {
    let policy = with(&["vim", "top", "less", "journalctl"]);
    for line in [
        "vim /etc/hosts",
        "less /etc/hosts",
        "top",
        "htop",
        "ssh host",
        "ssh -v host",
        "ssh",
        "tail -f /var/log/x",
        "tail -F /var/log/x",
        "tail -n5 -f /var/log/x",
        "tail -5f /var/log/x",
        "tail --follow=name /var/log/x",
        "tail --fol /var/log/x",
        "journalctl -f",
    ] {
        let error = ToolError::from(judge(&policy, line).unwrap_err());
        assert_eq!(error.code, Code::InteractiveRefused, "{line}");
        assert!(error.message.contains("; "), "{error}");
    }
    assert!(judge(&policy, "top -b -n 1").is_ok());
    assert!(judge(&policy, "journalctl -n 5").is_ok());
}

#[test]
fn some_things_are_refused_whoever_says_yes() {
    let policy = with(&["rm", "dd", "cp", "tee", "git", "touch", "shred"]);
    for line in FORBIDDEN.lines() {
        let refusal = judge(&policy, line).unwrap_err();
        assert!(
            matches!(refusal, Refusal::Forbidden(_)),
            "{line}: {refusal:?}"
        );
    }
    for line in [
        "rm -rf /tmp/x",
        "rm /etc/x",
        "rm -rf x",
        "dd if=/tmp/a of=/tmp/b",
        "dd if=/dev/zero of=/tmp/b",
        "cp x /dev/null",
    ] {
        assert!(judge(&policy, line).is_ok(), "{line}");
    }
}

#[test]
fn a_link_to_a_device_or_to_the_root_is_seen_through() {
    let folder = TempDir::new().unwrap();
    let link = |name: &str, to: &str| {
        let path = folder.path().join(name);
        std::os::unix::fs::symlink(to, &path).unwrap();
        path.display().to_string()
    };
    let policy = with(&["rm", "dd"]);
    let (root, memory) = (link("root", "/"), link("memory", "/dev/kmsg"));
    for line in [format!("rm -rf {root}/"), format!("dd of={memory}")] {
        assert!(
            matches!(judge(&policy, &line), Err(Refusal::Forbidden(_))),
            "{line}"
        );
    }
}

#[test]
fn ssh_is_judged_by_what_it_would_run() {
    let policy = with(&["rm"]);
    let verdict = judge(&policy, "ssh -p 22 -l root web-1 ls /etc").unwrap();
    assert_eq!(verdict.effect, Effect::Mutate);
    assert_eq!(verdict.remote_host.as_deref(), Some("web-1"));
    for line in FORBIDDEN.lines().filter(|line| line.starts_with("ssh")) {
        let refusal = judge(&policy, line).unwrap_err();
        assert!(
            matches!(refusal, Refusal::Forbidden(_)),
            "{line}: {refusal:?}"
        );
    }
    for line in [
        "ssh host 'ls; rm x'",
        "ssh host 'ls | sh'",
        "ssh host '$(id)'",
        "ssh host \"'a\"",
    ] {
        assert!(
            matches!(judge(&policy, line), Err(Refusal::Words(_))),
            "{line}"
        );
    }
    for line in [
        "ssh host -oProxyCommand=id ls",
        "ssh host curl x",
        "ssh host -v ls",
    ] {
        assert!(
            matches!(judge(&policy, line), Err(Refusal::NotAllowed { .. })),
            "{line}"
        );
    }
}

#[test]
fn on_another_host_only_plain_paths_are_read() {
    let read = Roots::new(["/etc"], "ALLOWED_READ_PATHS");
    let scene = Scene::Elsewhere { read: &read };
    let effect = |line: &str| wide().judge(&split(line).unwrap(), &scene).unwrap().effect;
    for line in [
        "cat /etc/hosts",
        "ls -la /etc",
        "uptime",
        "ps aux",
        "find /etc -name x",
    ] {
        assert_eq!(effect(line), Effect::Read, "{line}");
    }
    for line in [
        "ls",
        "cat hosts",
        "cat /etc/../srv/x",
        "cat /srv/x",
        "find",
        "grep -r x",
    ] {
        assert_eq!(effect(line), Effect::Mutate, "{line}");
    }
}

#[test]
fn a_rule_that_lets_a_dangerous_flag_through_does_not_load() {
    let rules = rules::BUILT_IN.replacen("\"-H -P (", "\"-H -P -delete (", 1);
    let error = Rules::parse(&rules).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("-delete writes or runs something"),
        "{error}"
    );
}
