//! What each example does.

use crate::driver::{Answer, Told, read, run};
use crate::world::{World, hosts, nothing};
use serde_json::{Value, json};
use workflow::core::{Ending, Request, Verdict};

fn approve(_: &Request) -> Answer {
    (vec![("anna", "admin")], Verdict::Approve, None)
}

fn output(told: &Told) -> &Value {
    match &told.ending {
        Ending::Completed(output) => output,
        other => panic!("it ended as {other:?}"),
    }
}

fn names(told: &Told) -> Vec<&str> {
    told.calls.iter().map(|(name, _)| name.as_str()).collect()
}

#[test]
fn there_are_six_examples_that_can_be_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/workflows");
    let files = std::fs::read_dir(folder).unwrap();
    let files = files.map(|it| it.unwrap().file_name().into_string().unwrap());
    let files: Vec<String> = files.filter(|it| it.ends_with(".yaml")).collect();
    assert_eq!(files.len(), 6);
    for file in files {
        assert_eq!(format!("{}.yaml", read(&file).document.name), file);
    }
}

/// Acceptance: 67, 347
#[test]
fn hosts_are_patched_one_question_each() {
    let mut world = World::new(hosts);
    let input = json!({"os": "debian", "version": "13"});
    let told = run("patch-hosts.yaml", &mut world, input, approve);
    assert_eq!(output(&told), &json!({"patched": ["web1", "web2"]}));
    assert_eq!(told.asked, ["Patch web1 to 13?", "Patch web2 to 13?"]);
    assert_eq!(world.server("web2")["os_version"], "13");
}

/// Acceptance: 347
#[test]
fn what_was_patched_is_taken_back_when_too_many_are_refused() {
    let mut world = World::new(hosts);
    let input = json!({"os": "debian", "version": "13"});
    let refuse_second = |request: &Request| {
        let first = request
            .message
            .as_deref()
            .is_some_and(|it| it.contains("web1"));
        let verdict = if first {
            Verdict::Approve
        } else {
            Verdict::Deny
        };
        (vec![("anna", "admin")], verdict, None)
    };
    let told = run("patch-hosts.yaml", &mut world, input, refuse_second);
    assert!(
        matches!(&told.ending, Ending::Faulted(it) if it.status == 403),
        "{:?}",
        told.ending
    );
    let rest = names(&told);
    let tail: Vec<&str> = rest.iter().rev().take(2).rev().copied().collect();
    assert_eq!(tail, ["cmdb.local.updateServer", "linux.sshExecuteCommand"]);
    assert_eq!(world.server("web1")["os_version"], "12");
}

#[test]
fn full_disks_are_written_down_and_hosts_that_are_away_left_out() {
    let mut world = World::new(hosts);
    let server = json!({"record": {"hostname": "web9", "ip_address": "10.0.0.9"}});
    world.call("cmdb.local.createServer", &server).unwrap();
    let report = "/data/full.txt";
    let told = run(
        "disk-check.yaml",
        &mut world,
        json!({"report": report}),
        approve,
    );
    assert_eq!(
        output(&told)["full"],
        json!([{"host": "web1", "percent": 95}])
    );
    assert_eq!(world.files["/data/full.txt"], "web1: 95 %\n");
    assert_eq!(
        names(&told)
            .iter()
            .filter(|it| **it == "linux.sshExecuteCommand")
            .count(),
        4
    );
}

#[test]
fn a_secret_is_applied_as_a_reference_and_verified() {
    let secret = |tool: &str, _: &Value| {
        let found = tool == "secrets.getSecret";
        found.then(|| {
            Ok(json!({"ref": "secretref://v1/abc", "value": "hunter2", "backend": "vault"}))
        })
    };
    let mut world = World::new(secret);
    let path = "/data/db.yaml";
    let input = json!({"secret": "vault-app/db#password", "path": path});
    let told = run("apply-secret.yaml", &mut world, input, approve);
    assert_eq!(output(&told)["applied"], true);
    assert!(world.files["/data/db.yaml"].contains("password_ref: secretref://v1/abc"));
    assert!(!format!("{:?}", told.calls).contains("hunter2"));
}

#[test]
fn an_urgent_incident_is_put_before_a_person() {
    let incident = |tool: &str, _: &Value| {
        let found = tool == "cmdb.servicenow.getIncident";
        found.then(|| {
            Ok(json!({"incident": {
                "priority": 1, "cmdb_ci": "web1", "short_description": "Shop is down",
            }}))
        })
    };
    let mut world = World::new(incident);
    world.files.insert(
        "/data/app.log".to_owned(),
        "ok\nERROR one\nError two\n".to_owned(),
    );
    let log = "/data/app.log";
    let input = json!({"number": "INC0001", "log": log});
    let told = run("incident-triage.yaml", &mut world, input, approve);
    assert_eq!(told.asked, ["Shop is down: 2 errors. Wake somebody?"]);
    let data = json!({"host": "web1", "errors": ["ERROR one", "Error two"], "woken": true});
    assert_eq!(output(&told), &data);
    assert_eq!(
        told.events[0]["type"],
        "dev.waygate.examples.incident.triaged.v1"
    );
}

#[test]
fn the_nightly_report_counts_what_is_there() {
    let mut world = World::new(nothing);
    let definition = read("nightly-report.yaml");
    let schedule = definition.schedule.unwrap();
    assert_eq!(schedule.cron.as_deref(), Some("30 2 * * *"));
    assert_eq!(schedule.time_zone.as_deref(), Some("Europe/Berlin"));
    let folder = "/data";
    let told = run(
        "nightly-report.yaml",
        &mut world,
        json!({"folder": folder}),
        approve,
    );
    assert_eq!(output(&told)["servers"], 3);
    let expected = "# CMDB\n\n3 servers, 0 bad rows\n\n- Debian Linux: 2\n- FreeBSD: 1\n";
    assert_eq!(world.files["/data/cmdb.md"], expected);
}

/// Acceptance: 347
#[test]
fn a_form_becomes_a_server_when_two_agree() {
    let mut world = World::new(nothing);
    let people = |request: &Request| {
        let form = request.form.as_ref();
        match form {
            Some(_) => {
                let filled = json!({"hostname": "new1", "ip_address": "10.0.0.8", "os_type": "Debian Linux"});
                (vec![("starter", "staff")], Verdict::Approve, Some(filled))
            }
            None => {
                let two = vec![("anna", "admin"), ("ben", "admin")];
                (two, Verdict::Approve, None)
            }
        }
    };
    let told = run("new-server.yaml", &mut world, json!({}), people);
    assert_eq!(output(&told)["hostname"], "new1");
    assert_eq!(world.server("new1")["ip_address"], "10.0.0.8");
}

/// Acceptance: 347
#[test]
fn one_refusal_keeps_the_server_out() {
    let mut world = World::new(nothing);
    let people = |request: &Request| {
        let filled = json!({"hostname": "new1", "ip_address": "10.0.0.8"});
        match request.form {
            Some(_) => (vec![("starter", "staff")], Verdict::Approve, Some(filled)),
            None => (vec![("anna", "admin")], Verdict::Deny, None),
        }
    };
    let told = run("new-server.yaml", &mut world, json!({}), people);
    let Ending::Faulted(problem) = &told.ending else {
        panic!("{:?}", told.ending);
    };
    assert!(
        problem
            .detail
            .as_deref()
            .is_some_and(|it| it.contains("anna")),
        "{problem:?}"
    );
    assert_eq!(world.server("new1"), Value::Null);
}
