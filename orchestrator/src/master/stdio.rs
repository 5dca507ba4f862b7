//! `stdio.execute`, `stdio.process`, `stdio.send`: programs of the hub's own machine that the operator
//! has listed, for holders of `stdio:execute`.

mod shapes;

use crate::auth::{Permissions, Verb};
use crate::programs::{Command, Owner, Process, ProgramError, Programs};
use async_trait::async_trait;
use shapes::{Action, ExecuteArguments, ManageArguments, Managed, Ran, SendArguments, Shown};
use shared::clock::SharedClock;
use shared::command::{listed, shown};
use shared::error::Code;
use shared::id::InvalidId;
use shared::tool::{Assessment, Call, Effect, Spec, Tool, ToolError, TypedTool, boxed};
use std::sync::Arc;
use std::time::Duration;

/// Left of a call's time for its answer.
const MARGIN: Duration = Duration::from_millis(500);

/// The tools that run programs; none when no program may be run.
///
/// # Errors
/// [`InvalidId`] when a definition is wrong.
pub fn stdio_tools(
    programs: &Arc<Programs>,
    clock: &SharedClock,
) -> Result<Vec<Arc<dyn Tool>>, InvalidId> {
    if !programs.any() {
        return Ok(Vec::new());
    }
    let all = || Bridge {
        programs: Arc::clone(programs),
        clock: Arc::clone(clock),
    };
    Ok(vec![
        boxed(Execute(all()))?,
        boxed(Manage(all()))?,
        boxed(Send(all()))?,
    ])
}

struct Bridge {
    programs: Arc<Programs>,
    clock: SharedClock,
}

struct Execute(Bridge);
struct Manage(Bridge);
struct Send(Bridge);

#[async_trait]
impl TypedTool for Execute {
    type Arguments = ExecuteArguments;
    type Output = Ran;

    fn spec(&self) -> Spec {
        let text = "Run one program of the hub's own machine to its end and get its output. Only programs \
                    in WAYGATE_STDIO_ALLOW; there is no shell. A call that is known to only read runs at \
                    once, any other needs a person's approval.";
        Spec::new("stdio.execute", Effect::Mutate, text)
            .per_call()
            .live()
    }

    async fn assess(
        &self,
        arguments: &ExecuteArguments,
        call: &Call,
    ) -> Result<Assessment, ToolError> {
        self.0.assess(call, &arguments.command(), "Run")
    }

    async fn run(&self, arguments: ExecuteArguments, call: &Call) -> Result<Ran, ToolError> {
        permitted(call)?;
        let command = arguments.command();
        let left = call.remaining().saturating_sub(MARGIN);
        let timeout = Duration::from_secs(arguments.timeout).min(left);
        let timeout = timeout.max(shared::exec::MIN_TIMEOUT);
        let finished = self.0.programs.run(&command, timeout).await;
        let finished = finished.map_err(refusal)?;
        let exited = matches!(finished.ended, shared::exec::Ended::Exited(_));
        Ok(Ran {
            success: finished.succeeded(),
            output: finished.stdout.text(),
            error_output: finished.stderr.text(),
            exit_code: exited.then(|| finished.exit_code()),
            command: command.program,
            args: command.arguments,
            pid: None,
            session_id: call.correlation_id.to_string(),
            timestamp: self.0.now(),
        })
    }
}

#[async_trait]
impl TypedTool for Manage {
    type Arguments = ManageArguments;
    type Output = Managed;

    fn spec(&self) -> Spec {
        let text = "Start a program of the hub's own machine as a process that stays, look at your \
                    processes, stop or restart one. Only programs in WAYGATE_STDIO_ALLOW. Starting needs a \
                    person's approval; lines are sent with stdio.send.";
        Spec::new("stdio.process", Effect::Mutate, text)
            .per_call()
            .live()
    }

    async fn assess(
        &self,
        arguments: &ManageArguments,
        call: &Call,
    ) -> Result<Assessment, ToolError> {
        permitted(call)?;
        let id = arguments.process_id.as_deref().unwrap_or_default();
        match arguments.action {
            Action::Start => {
                let command = arguments.command()?;
                let mut assessment = self.0.assess(call, &command, "Start")?;
                // What it reads later decides what it does.
                assessment.effect = Effect::Mutate;
                assessment.summary.push_str(
                    "\nIt stays until it is stopped, and does what the lines it is sent then say.",
                );
                Ok(assessment)
            }
            Action::Status => Ok(Assessment::of(Effect::Read, "Look at processes.")),
            Action::Stop | Action::Restart => {
                let process = self.0.programs.find(&owner(call), id).map_err(refusal)?;
                let program = shown(&process.command.program);
                let summary = format!("End or begin again the process {id} ({program}).");
                Ok(Assessment::of(Effect::MutateOwn, summary))
            }
        }
    }

    async fn run(&self, arguments: ManageArguments, call: &Call) -> Result<Managed, ToolError> {
        permitted(call)?;
        let (programs, owner) = (&self.0.programs, owner(call));
        let find = || {
            let id = arguments
                .process_id
                .as_deref()
                .ok_or_else(|| ToolError::invalid("process_id", "is needed for this action"))?;
            programs.find(&owner, id).map_err(refusal)
        };
        let processes = match arguments.action {
            Action::Start => {
                let started = programs.start(owner.clone(), arguments.command()?);
                vec![started.map_err(refusal)?]
            }
            Action::Status if arguments.process_id.is_none() => programs.of(&owner),
            Action::Status => vec![find()?],
            Action::Stop => {
                let process = find()?;
                process.stop().await;
                vec![process]
            }
            Action::Restart => {
                let process = find()?;
                process.stop().await;
                let again = programs.start(owner.clone(), process.command.clone());
                vec![again.map_err(refusal)?]
            }
        };
        let processes = processes.iter().map(|it| of_process(it, arguments.lines));
        Ok(Managed {
            success: true,
            processes: processes.collect(),
            timestamp: self.0.now(),
        })
    }
}

#[async_trait]
impl TypedTool for Send {
    type Arguments = SendArguments;
    type Output = Ran;

    fn spec(&self) -> Spec {
        let text = "Send one line to a process of yours and get the lines that come back.";
        Spec::new("stdio.send", Effect::MutateOwn, text).live()
    }

    async fn run(&self, arguments: SendArguments, call: &Call) -> Result<Ran, ToolError> {
        permitted(call)?;
        if arguments.message.contains(['\n', '\r', '\0']) {
            return Err(ToolError::invalid("message", "must be one line"));
        }
        let programs = &self.0.programs;
        let process = programs.find(&owner(call), &arguments.process_id);
        let process = process.map_err(refusal)?;
        let left = call.remaining().saturating_sub(MARGIN);
        let wait = Duration::from_secs(arguments.timeout).min(left);
        let sent = process.send(&arguments.message, wait).await;
        let sent = sent.map_err(refusal)?;
        Ok(Ran {
            success: true,
            output: sent.output.join("\n"),
            error_output: String::new(),
            exit_code: None,
            command: process.command.program.clone(),
            args: process.command.arguments.clone(),
            pid: sent.running.then_some(process.pid),
            session_id: process.id.clone(),
            timestamp: self.0.now(),
        })
    }
}

impl Bridge {
    fn assess(&self, call: &Call, command: &Command, verb: &str) -> Result<Assessment, ToolError> {
        permitted(call)?;
        let verdict = self.programs.judge(command).map_err(refusal)?;
        let mut argv = vec![command.program.clone()];
        argv.extend(command.arguments.iter().cloned());
        let directory = command
            .directory
            .as_deref()
            .map_or("/".into(), |it| it.to_string_lossy());
        let mut summary = format!(
            "{verb} on the hub's own machine in {}:\n{}",
            shown(&directory),
            listed(&argv)
        );
        for (name, value) in &command.environment {
            summary.push_str(&format!("\nwith {} = {}", shown(name), shown(value)));
        }
        if verdict.effect != Effect::Read {
            summary.push_str("\nNot known to only read: ");
            summary.push_str(&shown(&verdict.reason));
        }
        Ok(Assessment::of(verdict.effect, summary))
    }

    fn now(&self) -> String {
        format!("{:.3}", self.clock.now())
    }
}

fn of_process(process: &Process, lines: usize) -> Shown {
    let view = process.view(lines);
    Shown {
        process_id: process.id.clone(),
        status: if view.running { "running" } else { "ended" },
        command: process.command.program.clone(),
        args: process.command.arguments.clone(),
        pid: process.pid,
        started_at: format!("{:.3}", process.started_at),
        output: view.output,
        total_lines: view.total_lines,
    }
}

fn owner(call: &Call) -> Owner {
    Owner {
        principal: call.principal.as_str().into(),
        organization: call.organization.as_str().into(),
    }
}

fn permitted(call: &Call) -> Result<(), ToolError> {
    let own = Permissions::parse(call.permissions.iter().map(String::as_str));
    if own.is_ok_and(|own| own.allow("stdio", Verb::Execute)) {
        return Ok(());
    }
    let message = "this needs permission stdio:execute";
    Err(ToolError::refused(Code::InsufficientRights, message))
}

fn refusal(error: ProgramError) -> ToolError {
    let code = match error {
        ProgramError::Refused(refusal) => return refusal.into(),
        ProgramError::Exec(error) => return error.into(),
        ProgramError::Nothing => Code::PolicyViolation,
        ProgramError::Variable(_) | ProgramError::Directory => Code::InvalidInput,
        ProgramError::TooMany => Code::QuotaExceeded,
        ProgramError::Unknown => Code::NotFound,
        ProgramError::Ended => Code::Conflict,
    };
    ToolError::refused(code, error.to_string())
}
