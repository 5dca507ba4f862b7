//! Runs an example to its end: tools are called, questions answered, time passes at once.

use crate::world::World;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use workflow::core::{
    Command, Ending, Event, Failure, Invoke, Outcome, Request, Run, RunSettings, Stamped, Target,
    TaskPath, TimerKind, Verdict, Vote,
};
use workflow::dsl::NoCatalogue;
use workflow::dsl::model::Definition;

/// Most transitions of one run.
const MOST: usize = 1000;

/// What people say to a question: their names and groups, their verdict, the form.
pub(crate) type Answer = (Vec<(&'static str, &'static str)>, Verdict, Option<Value>);

/// What happened in a run.
pub(crate) struct Told {
    /// How it ended.
    pub(crate) ending: Ending,
    /// Tools in the order they were called, with their arguments.
    pub(crate) calls: Vec<(String, Value)>,
    /// What people were asked.
    pub(crate) asked: Vec<String>,
    /// What was published.
    pub(crate) events: Vec<Value>,
}

/// Reads an example.
pub(crate) fn read(name: &str) -> Definition {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/workflows");
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    Definition::read(&text, &NoCatalogue).unwrap_or_else(|complaints| {
        let lines = complaints.iter().map(|it| format!("\n  {it}"));
        panic!("{name}:{}", lines.collect::<String>());
    })
}

/// Runs an example.
pub(crate) fn run(
    name: &str,
    world: &mut World,
    input: Value,
    answer: impl Fn(&Request) -> Answer,
) -> Told {
    let definition = Arc::new(read(name));
    let settings = RunSettings {
        starter: "starter".to_owned(),
        ..RunSettings::default()
    };
    let mut run = Run::new(name, definition, Arc::default(), input, settings);
    let mut at: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
    let mut open = VecDeque::from([Event::Started]);
    let mut timers: Vec<(Timestamp, TaskPath, TimerKind)> = Vec::new();
    let mut told = Told {
        ending: Ending::Completed(Arc::default()),
        calls: Vec::new(),
        asked: Vec::new(),
        events: Vec::new(),
    };
    for _ in 0..MOST {
        let event = open.pop_front().unwrap_or_else(|| {
            timers.sort_by_key(|(due, ..)| *due);
            assert!(!timers.is_empty(), "{name} waits for nothing");
            let (due, path, timer) = timers.remove(0);
            at = at.max(due);
            Event::Fired { path, timer }
        });
        for command in run.advance(Stamped { at, event }) {
            match command {
                Command::Invoke(invoke) => open.push_back(call(world, *invoke, &mut told)),
                Command::Approve(request) => {
                    told.asked.push(request.message.clone().unwrap_or_default());
                    open.extend(votes(&request, answer(&request)));
                }
                Command::Timer { path, timer, at } => timers.push((at, path, timer)),
                Command::StopTimer { path, timer } => {
                    timers.retain(|(_, of, kind)| (of, kind) != (&path, &timer));
                }
                Command::Lock { path, .. } => open.push_back(Event::Locked { path }),
                Command::Emit { event, .. } => told.events.push(event),
                Command::Finish(ending) => {
                    told.ending = ending;
                    return told;
                }
                Command::Notify { why, problem, .. } => panic!("{name}: {why:?} {problem:?}"),
                _ => {}
            }
        }
    }
    panic!("{name} does not end")
}

fn call(world: &mut World, invoke: Invoke, told: &mut Told) -> Event {
    let Target::Tool { id, .. } = &invoke.call.target else {
        panic!("{:?} is no tool", invoke.call.target);
    };
    told.calls.push((id.clone(), invoke.call.with.clone()));
    let outcome = match world.call(id, &invoke.call.with) {
        Ok(output) => Outcome::Completed(Arc::new(output)),
        Err(problem) => Outcome::Failed(Failure {
            problem,
            ran: true,
            transient: false,
            retry_after: None,
        }),
    };
    Event::Outcome {
        path: invoke.path,
        attempt: invoke.attempt,
        outcome,
    }
}

fn votes(request: &Request, (people, verdict, form): Answer) -> Vec<Event> {
    let vote = |(name, group): (&str, &str)| Event::Decided {
        path: request.path.clone(),
        attempt: request.attempt,
        vote: Vote {
            by: name.to_owned(),
            groups: vec![group.to_owned()],
            verdict,
            reason: Some("seen".to_owned()),
            digest: Some(request.digest.clone()),
            form: form.clone(),
        },
    };
    people.into_iter().map(vote).collect()
}
