//! One version of the rules: the decision itself.

use super::PolicyError;
use super::decision::{Ask, Decision, Denial, Permit, Request};
use super::document;
use super::engine::{Engine, Failed, Question};
use super::facts::{Moment, Standpoint, Vocabulary};
use super::limit::RuleLimit;
use super::memo::{Memo, Standing, Step, Subjects};
use super::rule::{Approvers, Condition, Field, LogLevel, Rule, Terminal};
use crate::caller::Caller;
use shared::tool::Effect;
use std::sync::Arc;

/// Name of the rule that decides when none matches.
const DEFAULT: &str = "default";
/// Name of the rule that decides when the engine fails.
const FAILED: &str = "policy-error";

/// Compiled rules of one version.
pub(super) struct Rules {
    /// First 16 hex digits of the SHA-256 of the file.
    pub(super) version: Arc<str>,
    pub(super) vocabulary: Vocabulary,
    rules: Vec<Rule>,
    engine: Engine,
    memo: Memo,
}

/// What a call of one effect can come to, when its arguments are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prospect {
    No,
    Runs,
    Asks,
}

/// The rules that decide one call.
#[derive(Default)]
struct Found<'a> {
    terminal: Option<(&'a Rule, &'a Terminal)>,
    limits: Vec<RuleLimit>,
    logs: Vec<(&'a Rule, LogLevel)>,
}

impl Rules {
    pub(super) fn len(&self) -> usize {
        self.rules.len()
    }

    pub(super) fn parse(yaml: &str) -> Result<Self, PolicyError> {
        let mut rules = document::parse(yaml)?;
        let vocabulary = Vocabulary::of(&mut rules);
        let engine = Engine::compile(&rules)?;
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, yaml.as_bytes());
        let mut version = hex::encode(digest);
        version.truncate(16);
        Ok(Self {
            version: version.into(),
            vocabulary,
            rules,
            engine,
            memo: Memo::default(),
        })
    }

    pub(super) fn decide(&self, request: &Request<'_>) -> Decision {
        let subjects = Subjects {
            principal: &request.caller.principal,
            tool: request.tool.as_str(),
            service: request.service,
            effect: request.effect,
        };
        let standing = self.standing(subjects);
        let steps = match standing.as_ref() {
            Standing::Rules(steps) => steps,
            Standing::Forbidden { rule, message } => return deny(rule, message),
            Standing::Failed => return failed(),
        };
        let found = match self.found(steps, subjects, &Moment::of(request)) {
            Ok(found) => found,
            Err(error) => {
                tracing::error!(event = "policy_failed", %error, "denied");
                return failed();
            }
        };
        found.log(request);
        let Some((rule, terminal)) = found.terminal else {
            return deny(&DEFAULT.into(), "no policy allows this call");
        };
        settle(rule, terminal, request, found.limits.into())
    }

    /// What calls of `effect` can come to.
    pub(super) fn prospect(&self, caller: &Caller, subjects: Subjects<'_>) -> Prospect {
        let standing = self.standing(subjects);
        let Standing::Rules(steps) = standing.as_ref() else {
            return Prospect::No;
        };
        let mut question = None;
        for step in steps {
            let Some(rule) = self.rules.get(step.rule) else {
                continue;
            };
            let Some(terminal) = &rule.terminal else {
                continue;
            };
            let mut certain = step.certain;
            if !certain && only_address(&rule.condition) {
                let moment = Moment::of_caller(caller);
                match self.matches(step.rule, subjects, &moment, &mut question) {
                    Ok(true) => certain = true,
                    Ok(false) => continue,
                    Err(_failed) => return Prospect::No,
                }
            }
            match outcome(terminal, subjects.effect) {
                Outcome::Denies if certain => return Prospect::No,
                Outcome::Denies => {}
                Outcome::Runs { .. } => return Prospect::Runs,
                Outcome::Asks => return Prospect::Asks,
            }
        }
        Prospect::No
    }

    fn standing(&self, subjects: Subjects<'_>) -> Arc<Standing> {
        self.memo.get_or(subjects, || {
            match self.engine.possible(&self.standpoint(subjects)) {
                Ok(matches) => match matches.forbidden {
                    Some((rule, message)) => Standing::Forbidden {
                        rule: rule.into(),
                        message,
                    },
                    None => Standing::Rules(self.steps(matches.rules)),
                },
                Err(error) => {
                    tracing::error!(event = "policy_failed", %error, "denied");
                    Standing::Failed
                }
            }
        })
    }

    /// Deciding rules up to the first that is certain, and all that limit or log.
    fn steps(&self, matching: Vec<usize>) -> Vec<Step> {
        let (mut steps, mut decided) = (Vec::new(), false);
        for number in matching {
            let Some(rule) = self.rules.get(number) else {
                continue;
            };
            let certain = !self.engine.varies(number);
            let more = rule.limit.is_some() || rule.log.is_some();
            if more || (rule.terminal.is_some() && !decided) {
                steps.push(Step {
                    rule: number,
                    certain,
                });
            }
            decided |= certain && rule.terminal.is_some();
        }
        steps
    }

    fn found(
        &self,
        steps: &[Step],
        subjects: Subjects<'_>,
        moment: &Moment<'_>,
    ) -> Result<Found<'_>, Failed> {
        let (mut found, mut question) = (Found::default(), None);
        for step in steps {
            let Some(rule) = self.rules.get(step.rule) else {
                continue;
            };
            let idle = rule.limit.is_none() && rule.log.is_none();
            if idle && found.terminal.is_some() {
                continue;
            }
            if step.certain || self.matches(step.rule, subjects, moment, &mut question)? {
                found.add(rule);
            }
        }
        Ok(found)
    }

    /// Asks the engine about one rule; the question is put into its terms once.
    fn matches(
        &self,
        rule: usize,
        subjects: Subjects<'_>,
        moment: &Moment<'_>,
        question: &mut Option<Question>,
    ) -> Result<bool, Failed> {
        let ready = match question.take() {
            Some(ready) => ready,
            None => self.engine.question(&self.standpoint(subjects), moment)?,
        };
        self.engine.matches(rule, question.insert(ready))
    }

    fn standpoint<'a>(&'a self, subjects: Subjects<'a>) -> Standpoint<'a> {
        Standpoint {
            principal: subjects.principal,
            tool: subjects.tool,
            service: subjects.service,
            effect: subjects.effect,
            permissions: self.vocabulary.held(&subjects.principal.permissions),
            rules: &self.rules,
        }
    }
}

impl<'a> Found<'a> {
    fn add(&mut self, rule: &'a Rule) {
        if let Some(rates) = rule.limit {
            self.limits.push(RuleLimit {
                rule: Arc::clone(&rule.name),
                rates,
            });
        }
        if let Some(level) = rule.log {
            self.logs.push((rule, level));
        }
        if self.terminal.is_none() {
            self.terminal = rule.terminal.as_ref().map(|terminal| (rule, terminal));
        }
    }

    fn log(&self, request: &Request<'_>) {
        for (rule, level) in &self.logs {
            let (rule, tool) = (&*rule.name, request.tool.as_str());
            let principal = &*request.caller.principal.id;
            let correlation_id = request.caller.correlation_id.as_str();
            macro_rules! line {
                ($macro:ident) => {
                    tracing::$macro!(
                        event = "policy_rule",
                        rule,
                        tool,
                        principal,
                        correlation_id,
                        "a rule matched"
                    )
                };
            }
            match level {
                LogLevel::Debug => line!(debug),
                LogLevel::Info => line!(info),
                LogLevel::Warning => line!(warn),
                LogLevel::Error => line!(error),
            }
        }
    }
}

/// What a terminal action means for an effect.
enum Outcome {
    Denies,
    Runs { waived: bool },
    Asks,
}

/// Whatever a rule says: a change of something outside runs without an approval only when a rule
/// waives it, and critical work never does.
const fn outcome(terminal: &Terminal, effect: Effect) -> Outcome {
    match (terminal, effect) {
        (Terminal::Deny { .. }, _) => Outcome::Denies,
        (Terminal::Ask(_), _)
        | (Terminal::Allow, Effect::Mutate | Effect::Critical)
        | (Terminal::Waive, Effect::Critical) => Outcome::Asks,
        (Terminal::Waive, Effect::Mutate) => Outcome::Runs { waived: true },
        (Terminal::Allow | Terminal::Waive, Effect::Read | Effect::MutateOwn) => {
            Outcome::Runs { waived: false }
        }
    }
}

fn settle(
    rule: &Rule,
    terminal: &Terminal,
    request: &Request<'_>,
    limits: Arc<[RuleLimit]>,
) -> Decision {
    match outcome(terminal, request.effect) {
        Outcome::Runs { waived } => {
            Decision::Allow(Permit::for_rule(request, &rule.name, waived).under(limits))
        }
        Outcome::Asks => {
            let one = Approvers {
                count: 1,
                ..Approvers::default()
            };
            let approvers = match terminal {
                Terminal::Ask(approvers) => approvers,
                _ => &one,
            };
            let mut ask = Ask::for_rule(request, &rule.name, approvers.count);
            ask.roles.clone_from(&approvers.roles);
            ask.self_approval = approvers.self_approval && request.effect != Effect::Critical;
            ask.limits = limits;
            Decision::Ask(ask)
        }
        Outcome::Denies => match terminal {
            Terminal::Deny { message } => deny(&rule.name, message),
            _ => failed(),
        },
    }
}

fn only_address(condition: &Condition) -> bool {
    let mut only = true;
    condition.each_atom(&mut |atom| only &= atom.field.stands() || atom.field == Field::Ip);
    only
}

fn deny(rule: &Arc<str>, message: &str) -> Decision {
    Decision::Deny(Denial {
        rule: Arc::clone(rule),
        message: message.to_owned(),
    })
}

fn failed() -> Decision {
    deny(&FAILED.into(), "the policy could not be evaluated")
}
