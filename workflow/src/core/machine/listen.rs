//! `listen`: events are judged here; the driver only brings them.

use super::super::command::Command;
use super::super::entry::What;
use super::super::path::TaskPath;
use super::super::problem::Problem;
use super::super::state::{Data, Listening, Step, Vars};
use super::Machine;
use super::loops::place_in;
use crate::dsl::model::{Consumption, Expression, Filter, Kind, Listen, Read, Until};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What an event is to a list of filters.
struct Match {
    filter: usize,
    keys: BTreeMap<String, Value>,
}

impl<'a> Machine<'a> {
    pub(super) fn begin_listen(&mut self, path: &TaskPath, of: &Listen) {
        self.set_step(path, Step::Listen(Listening::default()));
        let mut types = Vec::new();
        collect_types(&of.to, &mut types);
        types.sort();
        types.dedup();
        if types.contains(&None) {
            types = vec![None];
        }
        self.out.push(Command::Await {
            path: path.clone(),
            types,
        });
    }

    /// An event came that may be for the `listen` at `path`.
    pub(super) fn received(&mut self, path: &TaskPath, event: &Data) {
        let Some(of) = self.listen_of(path) else {
            return;
        };
        let Some(Step::Listen(state)) = self.state.frames.get(path).map(|frame| &frame.step) else {
            return;
        };
        if state.closed {
            return;
        }
        let mut state = state.clone();
        match self.take(path, of, &mut state, event) {
            Ok(false) => {}
            Ok(true) => {
                let id = event
                    .get("id")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned();
                self.log(path, What::Received { id });
                if state.closed {
                    self.out.push(Command::StopAwait { path: path.clone() });
                }
                self.set_step(path, Step::Listen(state));
                self.heard(path, of);
            }
            Err(problem) => self.push_fail(path, problem, false),
        }
    }

    /// Whether the event changes anything.
    fn take(
        &mut self,
        path: &TaskPath,
        of: &'a Listen,
        state: &mut Listening,
        event: &Data,
    ) -> Result<bool, Problem> {
        if let Consumption::Any {
            until: Some(Until::Events(until)),
            ..
        } = &of.to
            && self.advances(path, until, (&mut state.until_met, &mut state.keys), event)?
        {
            state.closed = enough(until, &state.until_met);
            return Ok(true);
        }
        if !self.advances(path, &of.to, (&mut state.met, &mut state.keys), event)? {
            return Ok(false);
        }
        self.count_children(1)?;
        let kept = match of.read {
            Read::Data => Arc::new(event.get("data").cloned().unwrap_or_default()),
            Read::Envelope | Read::Raw => event.clone(),
        };
        state.taken.push(kept.clone());
        if of.each.is_some() {
            state.pending.push_back(kept);
        }
        state.closed = match &of.to {
            Consumption::Any {
                until: Some(Until::Condition(until)),
                ..
            } => {
                let taken = state.taken.iter().map(|data| Value::clone(data)).collect();
                self.holds(until, &Value::Array(taken), &self.scope(path))?
            }
            Consumption::Any {
                until: Some(Until::Events(_)),
                ..
            } => false,
            to => enough(to, &state.met),
        };
        Ok(true)
    }

    /// Whether an event fits a filter that is still open, which then is met.
    fn advances(
        &self,
        path: &TaskPath,
        to: &Consumption,
        (met, keys): (&mut Vec<usize>, &mut BTreeMap<String, Value>),
        event: &Data,
    ) -> Result<bool, Problem> {
        let found = match to {
            Consumption::One(filter) => {
                self.first_match(path, std::slice::from_ref(filter), &[], (keys, event))?
            }
            Consumption::Any { filters, .. } if filters.is_empty() => Some(Match {
                filter: 0,
                keys: BTreeMap::new(),
            }),
            Consumption::Any { filters, .. } => {
                self.first_match(path, filters, &[], (keys, event))?
            }
            Consumption::All(filters) => self.first_match(path, filters, met, (keys, event))?,
        };
        let Some(found) = found else { return Ok(false) };
        met.push(found.filter);
        keys.extend(found.keys);
        Ok(true)
    }

    fn first_match(
        &self,
        path: &TaskPath,
        filters: &[Filter],
        met: &[usize],
        (keys, event): (&BTreeMap<String, Value>, &Data),
    ) -> Result<Option<Match>, Problem> {
        for (index, filter) in filters.iter().enumerate() {
            if met.contains(&index) || !self.has_attributes(path, filter, event)? {
                continue;
            }
            if let Some(keys) = self.correlates(path, filter, keys, event)? {
                return Ok(Some(Match {
                    filter: index,
                    keys,
                }));
            }
        }
        Ok(None)
    }

    fn has_attributes(
        &self,
        path: &TaskPath,
        filter: &Filter,
        event: &Value,
    ) -> Result<bool, Problem> {
        for (name, wanted) in &filter.with {
            let found = event.get(name).cloned().unwrap_or_default();
            let expression = wanted.as_str().and_then(Expression::inside);
            let fits = match expression {
                Some(text) => {
                    let expression = Expression::new(text);
                    match self.evaluate(&expression, &found, &self.scope(path)) {
                        Ok(Value::Bool(holds)) => holds,
                        Ok(value) => value == found,
                        // An event of another shape is another event, not a fault of the run.
                        Err(_) => false,
                    }
                }
                None => {
                    let scope = self.scope(path);
                    self.template(wanted, &found, &scope)
                        .is_ok_and(|value| value == found)
                }
            };
            if !fits {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The correlation values of an event that belongs to this run; `None` when it does not.
    fn correlates(
        &self,
        path: &TaskPath,
        filter: &Filter,
        known: &BTreeMap<String, Value>,
        event: &Value,
    ) -> Result<Option<BTreeMap<String, Value>>, Problem> {
        let mut keys = BTreeMap::new();
        let Some(frame) = self.state.frames.get(path) else {
            return Ok(None);
        };
        for (name, correlation) in &filter.correlate {
            let Ok(value) = self.evaluate(&correlation.from, event, &self.scope(path)) else {
                return Ok(None);
            };
            let expected = match &correlation.expect {
                Some(text) => {
                    let text = Value::from(text.as_str());
                    Some(self.template(&text, &frame.input, &self.scope(path))?)
                }
                None => known.get(name).cloned(),
            };
            if expected.is_some_and(|expected| expected != value) {
                return Ok(None);
            }
            keys.insert(name.clone(), value);
        }
        Ok(Some(keys))
    }

    /// Goes on after an event: loops over it, or ends.
    fn heard(&mut self, path: &TaskPath, of: &'a Listen) {
        let Some(frame) = self.state.frames.get_mut(path) else {
            return;
        };
        let base = frame.base;
        let Step::Listen(state) = &mut frame.step else {
            return;
        };
        let Some(each) = &of.each else {
            if state.closed {
                let taken = state.taken.iter().map(|data| Value::clone(data)).collect();
                self.set_step(path, Step::Ready);
                self.push_done(path, Arc::new(Value::Array(taken)));
            }
            return;
        };
        if state.looping {
            return;
        }
        if let Some(item) = state.pending.pop_front() {
            let index = state.next;
            state.next += 1;
            state.looping = true;
            let vars = Vars::from([
                (each.item.clone(), item.clone()),
                (each.at.clone(), Arc::new(json!(index))),
            ]);
            self.open_list(&path.join(&format!("foreach/{index}/do")), item, base, vars);
        } else if state.closed {
            let outputs = state
                .outputs
                .iter()
                .map(|data| Value::clone(data))
                .collect();
            self.set_step(path, Step::Ready);
            self.push_done(path, Arc::new(Value::Array(outputs)));
        }
    }

    /// The list for one event is done.
    pub(super) fn event_done(&mut self, path: &TaskPath, list: &TaskPath, output: &Data) {
        let Some(of) = self.listen_of(path) else {
            return;
        };
        let Some(each) = &of.each else { return };
        let scope = self.scope(path).with_output(output);
        let made = self
            .give_out(each.output.as_ref(), output, &scope)
            .and_then(|made| {
                let Some(export) = &each.export else {
                    return Ok((made, None));
                };
                let scope = self.scope(path).with_output(&made);
                let context = self.give_out(Some(export), &made, &scope)?;
                Ok((made, Some(context)))
            });
        match made {
            Ok((made, context)) => {
                if let Some(context) = context {
                    self.state.context = context;
                }
                if let Some(Step::Listen(state)) =
                    self.state.frames.get_mut(path).map(|frame| &mut frame.step)
                    && place_in(path, list).is_some()
                {
                    state.outputs.push(made);
                    state.looping = false;
                }
                self.heard(path, of);
            }
            Err(problem) => self.push_fail(path, problem, false),
        }
    }

    fn listen_of(&self, path: &TaskPath) -> Option<&'a Listen> {
        match &self.task(path)?.kind {
            Kind::Listen(of) => Some(of),
            _ => None,
        }
    }
}

/// Whether the filters that are met satisfy a strategy without conditions.
fn enough(to: &Consumption, met: &[usize]) -> bool {
    match to {
        Consumption::All(filters) => met.len() >= filters.len(),
        Consumption::One(_) | Consumption::Any { .. } => !met.is_empty(),
    }
}

/// Types to choose by; `None` is every type.
fn collect_types(to: &Consumption, types: &mut Vec<Option<String>>) {
    let literal = |filter: &Filter| match filter.with.get("type") {
        Some(Value::String(text)) if Expression::inside(text).is_none() => Some(text.clone()),
        _ => None,
    };
    match to {
        Consumption::One(filter) => types.push(literal(filter)),
        Consumption::All(filters) => types.extend(filters.iter().map(literal)),
        Consumption::Any { filters, until } => {
            types.extend(filters.iter().map(literal));
            if filters.is_empty() {
                types.push(None);
            }
            if let Some(Until::Events(until)) = until {
                collect_types(until, types);
            }
        }
    }
}
