//! Real programs of the machine.

use super::*;
use shared::clock::SystemClock;
use shared::exec::SearchPath;

fn programs(allowed: &[&str]) -> Arc<Programs> {
    let tasks = Tasks::new();
    let executor = Executor::new(SearchPath::system(), tasks.clone()).unwrap();
    let allowed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
    Programs::new(&allowed, Some(executor), SystemClock::shared(), tasks).unwrap()
}

fn command(program: &str, arguments: &[&str]) -> Command {
    Command {
        program: program.into(),
        arguments: arguments.iter().map(ToString::to_string).collect(),
        environment: Vec::new(),
        directory: None,
    }
}

fn owner(name: &str) -> Owner {
    Owner {
        principal: name.into(),
        organization: "default".into(),
    }
}

fn alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn only_what_is_listed_and_what_the_policy_knows_is_run() {
    let some = programs(&["uname", "cat", "/usr/bin/id", "sudo"]);
    assert_eq!(
        some.judge(&command("uname", &[])).unwrap().effect,
        Effect::Read
    );
    assert_eq!(
        some.judge(&command("cat", &[])).unwrap().effect,
        Effect::Mutate
    );
    for refused in ["id", "ls", "/usr/bin/id", "sudo", "sh"] {
        let refused = some.judge(&command(refused, &[]));
        assert!(
            matches!(refused, Err(ProgramError::Refused(_))),
            "{refused:?}"
        );
    }
    let mut loaded = command("uname", &[]);
    loaded.environment = vec![("LD_PRELOAD".into(), "x".into())];
    assert!(matches!(
        some.judge(&loaded),
        Err(ProgramError::Variable(_))
    ));
    let mut elsewhere = command("uname", &[]);
    elsewhere.directory = Some("tmp".into());
    assert!(matches!(
        some.judge(&elsewhere),
        Err(ProgramError::Directory)
    ));
    elsewhere.directory = Some("/".into());
    assert_eq!(some.judge(&elsewhere).unwrap().effect, Effect::Mutate);
    let nothing = programs(&[]);
    let refused = nothing.judge(&command("uname", &[]));
    assert!(matches!(refused, Err(ProgramError::Nothing)));
}

#[tokio::test]
async fn a_process_is_talked_to_by_its_owner_and_is_gone_after_the_stop() {
    let programs = programs(&["cat"]);
    let (ann, bob) = (owner("ann"), owner("bob"));
    let process = programs.start(ann.clone(), command("cat", &[])).unwrap();
    assert!(alive(process.pid));
    for word in ["one", "two"] {
        let sent = process.send(word, Duration::from_secs(30)).await.unwrap();
        assert_eq!(sent.output, [word]);
        assert!(sent.running);
    }
    assert_eq!(process.view(10).output, ["one", "two"]);
    assert_eq!(process.view(1).output, ["two"]);
    let other = programs.find(&bob, &process.id);
    assert!(matches!(other, Err(ProgramError::Unknown)));
    assert!(programs.of(&bob).is_empty());
    assert_eq!(process.stop().await, Some(0));
    assert!(!alive(process.pid));
    assert!(!programs.find(&ann, &process.id).unwrap().view(1).running);
    let late = process.send("three", Duration::from_secs(1)).await;
    assert!(matches!(late, Err(ProgramError::Ended)));
}

#[tokio::test]
async fn one_principal_has_a_bounded_number_of_processes() {
    let programs = programs(&["cat"]);
    for _ in 0..MAX_OWN {
        programs.start(owner("ann"), command("cat", &[])).unwrap();
    }
    let more = programs.start(owner("ann"), command("cat", &[]));
    assert!(matches!(more, Err(ProgramError::TooMany)));
    programs.start(owner("bob"), command("cat", &[])).unwrap();
    for name in ["ann", "bob"] {
        for process in programs.of(&owner(name)) {
            process.stop().await;
        }
    }
}
