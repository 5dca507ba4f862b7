//! Views: the tools an endpoint or a credential shows, under names and words of the operator's choice.
//!
//! A view takes away and renames; it never gives. What a principal may call is decided by policy, with
//! a view as without. Resources and prompts are not its matter.

use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Longest name a tool is given.
const MAX_NAME: usize = 64;
/// Longest description a tool is given, in bytes.
const MAX_DESCRIPTION: usize = 8192;

/// A view, as settings write it. Patterns are canonical ids, or beginnings of ids with `*` at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ViewSettings {
    /// The tools it shows; empty means all.
    pub include: Vec<String>,
    /// The tools it leaves out, of those.
    pub exclude: Vec<String>,
    /// Canonical id → name.
    pub rename: BTreeMap<String, String>,
    /// Canonical id → description.
    pub descriptions: BTreeMap<String, String>,
    /// Ids or names of principals who see it at every endpoint that shows more than one server.
    pub principals: Vec<String>,
}

/// A mistake in a view.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("views.{view}.{field}: {rule}")]
pub struct InvalidView {
    /// Its name.
    pub view: String,
    /// The field.
    pub field: &'static str,
    /// What it must be.
    pub rule: String,
}

/// One view.
#[derive(Debug, Default)]
pub struct View {
    include: Vec<String>,
    exclude: Vec<String>,
    names: HashMap<String, Arc<str>>,
    ids: HashMap<Arc<str>, String>,
    descriptions: HashMap<String, Arc<str>>,
}

/// Every view of a hub.
#[derive(Debug, Default)]
pub struct Views {
    by_name: BTreeMap<String, Arc<View>>,
    by_principal: HashMap<String, Arc<View>>,
}

impl Views {
    /// The views of the settings, by name.
    ///
    /// # Errors
    /// [`InvalidView`] names the view and the field.
    pub fn new(settings: &BTreeMap<String, ViewSettings>) -> Result<Self, InvalidView> {
        let mut views = Self::default();
        for (name, settings) in settings {
            let invalid = |field, rule: String| InvalidView {
                view: name.clone(),
                field,
                rule,
            };
            let word =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
            if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(word) {
                let rule = "a view is named by 1 to 64 of a–z, 0–9, _ and -";
                return Err(invalid("name", rule.to_owned()));
            }
            let view = View::new(settings).map_err(|(field, rule)| invalid(field, rule))?;
            let view = Arc::new(view);
            let mut principals = settings.principals.iter();
            if let Some(taken) = principals.find(|it| views.by_principal.contains_key(*it)) {
                let rule = format!("{taken} has another view already");
                return Err(invalid("principals", rule));
            }
            let seen = settings.principals.iter();
            let seen = seen.map(|principal| (principal.clone(), Arc::clone(&view)));
            views.by_principal.extend(seen);
            views.by_name.insert(name.clone(), view);
        }
        Ok(views)
    }

    /// The view of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Arc<View>> {
        self.by_name.get(name)
    }

    /// The view a principal sees everywhere, by id or name.
    #[must_use]
    pub fn of_principal(&self, id: &str, name: &str) -> Option<&Arc<View>> {
        let by_id = self.by_principal.get(id);
        by_id.or_else(|| self.by_principal.get(name))
    }
}

impl View {
    fn new(settings: &ViewSettings) -> Result<Self, (&'static str, String)> {
        for (field, patterns) in [
            ("include", &settings.include),
            ("exclude", &settings.exclude),
        ] {
            let inner = |pattern: &String| {
                let rest = pattern.strip_suffix('*').unwrap_or(pattern);
                pattern.is_empty() || rest.contains('*')
            };
            if let Some(odd) = patterns.iter().find(|pattern| inner(pattern)) {
                let rule = format!("{odd:?} is no id, and no beginning of ids with * at the end");
                return Err((field, rule));
            }
        }
        let mut view = Self {
            include: settings.include.clone(),
            exclude: settings.exclude.clone(),
            ..Self::default()
        };
        for (id, name) in &settings.rename {
            let head = name.starts_with(|c: char| c.is_ascii_alphabetic());
            let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            if !head || name.len() > MAX_NAME || !name.chars().all(word) {
                let rule = format!("{name:?} must match ^[A-Za-z][A-Za-z0-9_-]{{0,63}}$");
                return Err(("rename", rule));
            }
            let name: Arc<str> = name.as_str().into();
            if view.ids.insert(Arc::clone(&name), id.clone()).is_some() {
                return Err(("rename", format!("{name} is given to two tools")));
            }
            view.names.insert(id.clone(), name);
        }
        for (id, text) in &settings.descriptions {
            if text.len() > MAX_DESCRIPTION {
                let rule = format!("that of {id} is longer than {MAX_DESCRIPTION} bytes");
                return Err(("descriptions", rule));
            }
            view.descriptions.insert(id.clone(), text.as_str().into());
        }
        Ok(view)
    }

    /// Whether it shows the tool of this id.
    #[must_use]
    pub fn shows(&self, id: &str) -> bool {
        let fits = |patterns: &[String]| {
            patterns
                .iter()
                .any(|pattern| match pattern.strip_suffix('*') {
                    Some(start) => id.starts_with(start),
                    None => id == pattern,
                })
        };
        (self.include.is_empty() || fits(&self.include)) && !fits(&self.exclude)
    }

    /// The name it gives a tool; `None` where it gives none.
    #[must_use]
    pub fn name_of(&self, id: &str) -> Option<&Arc<str>> {
        self.names.get(id)
    }

    /// The id of the tool it gives this name.
    #[must_use]
    pub fn id_of(&self, name: &str) -> Option<&str> {
        self.ids.get(name).map(String::as_str)
    }

    /// What it says of a tool; `None` where the tool speaks for itself.
    #[must_use]
    pub fn description_of(&self, id: &str) -> Option<&Arc<str>> {
        self.descriptions.get(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn views(toml: &str) -> Result<Views, InvalidView> {
        Views::new(&toml::from_str(toml).unwrap())
    }

    #[test]
    fn patterns_take_away_and_never_give() {
        let views = views(
            r#"[desk]
               include = ["os.linux.*", "cmdb.local.findServers"]
               exclude = ["os.linux.runCommand"]
               principals = ["ann"]"#,
        )
        .unwrap();
        let desk = views.named("desk").unwrap();
        for (id, shown) in [
            ("os.linux.cli.getOsInfo", true),
            ("os.linux.runCommand", false),
            ("cmdb.local.findServers", true),
            ("cmdb.local.findServersToo", false),
        ] {
            assert_eq!(desk.shows(id), shown, "{id}");
        }
        assert!(views.of_principal("key_1", "ann").is_some());
        assert!(views.of_principal("key_1", "bob").is_none());
        assert!(View::default().shows("a.b"));
    }

    #[test]
    fn mistakes_name_the_view_and_the_field() {
        for (toml, field) in [
            ("[\"A b\"]", "name"),
            ("[a]\ninclude = [\"x*y\"]", "include"),
            ("[a]\nexclude = [\"\"]", "exclude"),
            ("[a.rename]\n\"x.y\" = \"x.y\"", "rename"),
            ("[a.rename]\n\"x.y\" = \"n\"\n\"x.z\" = \"n\"", "rename"),
            (
                "[a]\nprincipals = [\"p\"]\n[b]\nprincipals = [\"p\"]",
                "principals",
            ),
        ] {
            assert_eq!(views(toml).unwrap_err().field, field, "{toml}");
        }
    }
}
