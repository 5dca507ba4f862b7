//! The steps of the features. A step that is not known fails its scenario.

use crate::driver::{Driver, Finished};
use crate::feature::Scenario;
use serde_json::{Value, json};
use workflow::core::Ending;

/// Plays a scenario; tells what did not hold.
pub(crate) async fn play(scenario: &Scenario, driver: &Driver) -> Result<(), String> {
    let mut definition = String::new();
    let mut input = json!({});
    let mut finished = None;
    for step in &scenario.steps {
        let block = step.block.as_deref().unwrap_or_default();
        match step.text.as_str() {
            "a workflow with definition:" => block.clone_into(&mut definition),
            "the workflow input is:" => input = yaml(block),
            "the workflow is executed" => {
                finished = Some(driver.run(&definition, input.clone()).await?);
            }
            text => {
                let finished = finished.as_ref().ok_or("nothing was executed")?;
                judge(text, step.block.as_deref(), finished)
                    .map_err(|failure| format!("{text}: {failure}"))?;
            }
        }
    }
    Ok(())
}

fn judge(text: &str, block: Option<&str>, finished: &Finished) -> Result<(), String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        ["the", "workflow", "should", "fault", ..] => {
            let Ending::Faulted(problem) = &finished.ending else {
                return Err(format!("it ended as {:?}", finished.ending));
            };
            // An error may say more than is expected of it.
            let found = problem.to_value();
            block.map_or(Ok(()), |block| {
                let expected = yaml(block);
                let names = expected.as_object().into_iter().flat_map(|it| it.keys());
                let named = names.filter_map(|name| Some((name.clone(), found.get(name)?.clone())));
                same(&Value::Object(named.collect()), &expected)
            })
        }
        ["the", "workflow", "should", "complete", ..] => {
            let output = output(finished)?;
            block.map_or(Ok(()), |block| same(output, &yaml(block)))
        }
        [
            "the",
            "workflow",
            "output",
            "should",
            "have",
            "properties",
            ..,
        ] => {
            let output = output(finished)?;
            let names = text.split('\'').skip(1).step_by(2);
            let missing: Vec<&str> = names.filter(|it| property(output, it).is_none()).collect();
            expect(missing.is_empty(), || format!("{missing:?} of {output}"))
        }
        [
            "the",
            "workflow",
            "output",
            "should",
            "have",
            "a",
            name,
            "property",
            rest @ ..,
        ] => {
            let output = output(finished)?;
            let name = name.trim_matches('\'');
            let value = property(output, name).ok_or_else(|| format!("{name} of {output}"))?;
            match rest {
                ["with", "value:"] => same(value, &yaml(block.unwrap_or_default())),
                ["containing", count, "items"] => {
                    let length = value.as_array().map(|it| it.len().to_string());
                    expect(length.as_deref() == Some(*count), || value.to_string())
                }
                _ => Err("the step is not known".to_owned()),
            }
        }
        [task, "should", "run", rest @ ..] => order(task, rest, &finished.began()),
        _ => Err("the step is not known".to_owned()),
    }
}

fn order(task: &str, when: &[&str], began: &[String]) -> Result<(), String> {
    let place = |name: &str| began.iter().position(|it| it == name);
    let at = place(task);
    let holds = match when {
        ["first"] => at == Some(0),
        ["last"] => at.is_some() && began.last().is_some_and(|it| it == task),
        ["after", other] => at.zip(place(other)).is_some_and(|(at, other)| at > other),
        ["before", other] => at.zip(place(other)).is_some_and(|(at, other)| at < other),
        _ => return Err("the step is not known".to_owned()),
    };
    expect(holds, || format!("they began as {began:?}"))
}

fn output(finished: &Finished) -> Result<&Value, String> {
    match &finished.ending {
        Ending::Completed(output) => Ok(output),
        other => Err(format!("it ended as {other:?}")),
    }
}

/// A property by its path of names with dots.
fn property<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.')
        .try_fold(value, |value, name| value.get(name))
}

fn same(found: &Value, expected: &Value) -> Result<(), String> {
    expect(found == expected, || {
        format!("{found} instead of {expected}")
    })
}

fn expect(holds: bool, failure: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(failure()) }
}

fn yaml(text: &str) -> Value {
    serde_yaml_ng::from_str(text).unwrap()
}
