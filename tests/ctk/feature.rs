//! Reads Gherkin as far as the conformance features use it: scenarios, steps and blocks of text.
//!
//! Tags, backgrounds, outlines and tables are not known and end in a failure.

/// A scenario.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    /// Its title.
    pub(crate) name: String,
    /// Its steps in order.
    pub(crate) steps: Vec<Step>,
}

/// One step.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// Without its keyword.
    pub(crate) text: String,
    /// The text between triple quotes under it.
    pub(crate) block: Option<String>,
}

/// The scenarios of a feature.
pub(crate) fn scenarios(text: &str) -> Vec<Scenario> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix("Scenario:") {
            scenarios.push(Scenario {
                name: name.trim().to_owned(),
                steps: Vec::new(),
            });
            continue;
        }
        let Some(scenario) = scenarios.last_mut() else {
            continue;
        };
        if trimmed.starts_with("\"\"\"") {
            let indent = line.len() - line.trim_start().len();
            let block: Vec<&str> = lines
                .by_ref()
                .take_while(|it| !it.trim_start().starts_with("\"\"\""))
                .map(|it| it.get(indent..).unwrap_or_default())
                .collect();
            scenario.steps.last_mut().unwrap().block = Some(block.join("\n"));
        } else if !trimmed.is_empty() && !trimmed.starts_with('#') {
            scenario.steps.push(Step {
                text: without_keyword(trimmed),
                block: None,
            });
        }
    }
    scenarios
}

fn without_keyword(line: &str) -> String {
    let keywords = ["Given ", "When ", "Then ", "And ", "But "];
    let found = keywords.iter().find_map(|it| line.strip_prefix(it));
    let text = found.unwrap_or_else(|| panic!("not a step: {line}"));
    let text = text.strip_prefix("given ").unwrap_or(text);
    text.to_owned()
}
