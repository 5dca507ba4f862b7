//! What a program must come to, found by plain recursion over its tree: a second opinion that shares no
//! code with the interpreter.

use crate::program::{Call, Kind, Node, Together, Try, arguments};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const COMMUNICATION: &str = "https://serverlessworkflow.io/spec/1.0.0/errors/communication";

/// An error, and whether it is a call that may work later.
#[derive(Clone)]
struct Failed {
    problem: Value,
    transient: bool,
}

/// Something that takes errors on their way up.
enum Catcher {
    Status(u16),
    Everything,
}

/// Runs programs.
#[derive(Default)]
pub(crate) struct Model {
    /// What took place, as the simulated tools write it down.
    pub(crate) effects: BTreeMap<String, u32>,
    context: Value,
    catchers: Vec<Catcher>,
    /// Calls that arrived, by path.
    arrived: BTreeMap<String, u32>,
    undo: Vec<(String, u32)>,
    /// Indices of the loops around.
    at: Vec<u32>,
}

impl Model {
    /// The ending of a program, as a report shows it.
    pub(crate) fn run(&mut self, program: &[Node]) -> Value {
        match self.list(program, "/do", Value::Null) {
            Ok(output) => json!({"completed": output}),
            Err(failed) => {
                let undone = std::mem::take(&mut self.undo);
                for (path, id) in undone {
                    let with = json!({"undo": id});
                    self.effect(format!("{path}/undo sim.undo {with}"));
                }
                json!({"faulted": failed.problem})
            }
        }
    }

    fn effect(&mut self, line: String) {
        *self.effects.entry(line).or_default() += 1;
    }

    fn list(&mut self, nodes: &[Node], path: &str, input: Value) -> Result<Value, Failed> {
        nodes
            .iter()
            .enumerate()
            .try_fold(input, |data, (place, node)| {
                self.node(node, &format!("{path}/{place}/t{}", node.id), data)
            })
    }

    fn node(&mut self, node: &Node, path: &str, input: Value) -> Result<Value, Failed> {
        let id = node.id;
        match &node.kind {
            Kind::Set => Ok(json!({"v": id, "was": type_of(&input), "seen": self.context})),
            Kind::Note => {
                if self.context.is_null() {
                    self.context = json!({});
                }
                self.context[format!("k{id}")] = json!(1);
                Ok(json!({"v": id}))
            }
            Kind::Wait | Kind::Skipped => Ok(input),
            Kind::Raise(status) => {
                let problem =
                    json!({"type": "https://example.com/e", "status": status, "instance": path});
                Err(Failed {
                    problem,
                    transient: false,
                })
            }
            Kind::Do(nodes) => self.list(nodes, &format!("{path}/do"), input),
            Kind::Fork(nodes) => {
                let branches = nodes.iter().enumerate();
                let outputs: Result<Vec<_>, _> = branches
                    .map(|(place, node)| {
                        let path = format!("{path}/fork/branches/{place}/t{}", node.id);
                        self.node(node, &path, input.clone())
                    })
                    .collect();
                outputs.map(Value::Array)
            }
            Kind::Loop {
                items,
                together,
                body,
            } => self.looped((*items, *together), body, path, input),
            Kind::Try(of) => self.attempt(of, path, &input),
            Kind::Call(call) => self.call(id, call, path),
        }
    }

    fn looped(
        &mut self,
        (items, together): (u32, Option<Together>),
        body: &[Node],
        path: &str,
        input: Value,
    ) -> Result<Value, Failed> {
        let mut data = input.clone();
        let mut outputs = Vec::new();
        for item in 0..items {
            self.at.push(item);
            let path = format!("{path}/for/{item}/do");
            let done = match together {
                None => self.list(body, &path, data.clone()),
                Some(Together {
                    tolerant: false, ..
                }) => self.list(body, &path, input.clone()),
                Some(Together { tolerant: true, .. }) => {
                    self.catchers.push(Catcher::Everything);
                    let done = self.list(body, &path, input.clone());
                    self.catchers.pop();
                    done.or_else(|failed| Ok(json!({"error": failed.problem})))
                }
            };
            self.at.pop();
            data = done?;
            outputs.push(data.clone());
        }
        Ok(if together.is_some() {
            Value::Array(outputs)
        } else {
            data
        })
    }

    fn attempt(&mut self, of: &Try, path: &str, input: &Value) -> Result<Value, Failed> {
        let mut turns = 0;
        loop {
            self.catchers
                .push(of.status.map_or(Catcher::Everything, Catcher::Status));
            let done = self.list(&of.body, &format!("{path}/try"), input.clone());
            self.catchers.pop();
            let failed = match done {
                Ok(output) => return Ok(output),
                Err(failed) => failed,
            };
            if of
                .status
                .is_some_and(|status| failed.problem["status"] != status)
            {
                return Err(failed);
            }
            if of.turns.is_some_and(|most| turns < most) {
                turns += 1;
                continue;
            }
            if !of.handler.is_empty() {
                return self.list(&of.handler, &format!("{path}/catch/do"), input.clone());
            }
            if of.turns.is_none() {
                return Ok(input.clone());
            }
            if !failed.transient || self.caught(503) {
                return Err(failed);
            }
            // It waits for the operator, who tries again.
            turns = 0;
        }
    }

    fn caught(&self, status: u16) -> bool {
        self.catchers.iter().any(|catcher| match catcher {
            Catcher::Status(wanted) => *wanted == status,
            Catcher::Everything => true,
        })
    }

    fn call(&mut self, id: u32, call: &Call, path: &str) -> Result<Value, Failed> {
        let at = call.at.and_then(|at| self.at.get(at)).map(|at| json!(at));
        let with = arguments(id, call, at);
        loop {
            let arrived = self.arrived.entry(path.to_owned()).or_default();
            *arrived += 1;
            if *arrived > call.fail {
                break;
            }
            if self.caught(503) {
                return Err(Failed {
                    problem: broken(503, path),
                    transient: true,
                });
            }
        }
        if let Some(status) = call.error {
            return Err(Failed {
                problem: broken(status, path),
                transient: false,
            });
        }
        if call.tool != "sim.read" {
            self.effect(format!("{path} {} {with}", call.tool));
        }
        if call.undo {
            self.undo.push((path.to_owned(), id));
        }
        Ok(json!({"did": with}))
    }
}

fn broken(status: u16, path: &str) -> Value {
    json!({
        "type": COMMUNICATION,
        "status": status,
        "title": "failed",
        "detail": "simulated",
        "instance": path,
    })
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
