//! Reads `run`.
//!
//! A process runs by way of a tool that the catalogue names, under that tool's policy, or not at all.

use super::fields::{Fields, Node, Reader};
use crate::dsl::ProcessKind;
use crate::dsl::model::{Expression, Process, Return, Run};
use serde_json::Value;

const RETURNS: &[(&str, Return)] = &[
    ("stdout", Return::Stdout),
    ("stderr", Return::Stderr),
    ("code", Return::Code),
    ("all", Return::All),
    ("none", Return::None),
];

impl Reader<'_> {
    pub(super) fn run(&mut self, node: &Node<'_>) -> Option<Run> {
        const KINDS: &[&str] = &["container", "script", "shell", "workflow"];
        const KNOWN: &[&str] = &[
            "container",
            "script",
            "shell",
            "workflow",
            "await",
            "return",
        ];
        let fields = self.fields(node, KNOWN)?;
        let wait = self.flag(fields.get("await").as_ref()).unwrap_or(true);
        let output = fields.get("return").and_then(|it| self.word(&it, RETURNS));
        let (name, inner) = self.one_of(&fields, KINDS)?;
        if name == "workflow" {
            return self.subflow(&inner, wait);
        }
        let (kind, stdin) = match name {
            "container" => (ProcessKind::Container, self.container(&inner)?),
            "script" => (ProcessKind::Script, self.script(&inner)?),
            _ => (ProcessKind::Shell, self.shell(&inner)?),
        };
        let Some(tool) = self.catalogue.process(kind) else {
            let message =
                format!("run: {name} is not allowed here; call a tool of the hub instead");
            self.complain("process_refused", &inner.pointer, message);
            return None;
        };
        self.pin(&tool, &inner.pointer);
        Some(Run::Process(Box::new(Process {
            kind,
            tool,
            arguments: self.template(&inner),
            stdin,
            output: output.unwrap_or_default(),
            wait,
        })))
    }

    fn subflow(&mut self, node: &Node<'_>, wait: bool) -> Option<Run> {
        let fields = self.fields(node, &["namespace", "name", "version", "input"])?;
        let mut part = |name| {
            let field = self.need(&fields, name);
            self.owned(field.as_ref())
        };
        let (namespace, name, version) = (part("namespace"), part("name"), part("version"));
        let input = fields.get("input").and_then(|it| self.object_template(&it));
        Some(Run::Workflow {
            namespace: namespace?,
            name: name?,
            version: version?,
            input,
            wait,
        })
    }

    fn container(&mut self, node: &Node<'_>) -> Option<Option<Expression>> {
        const KNOWN: &[&str] = &[
            "image",
            "name",
            "command",
            "ports",
            "volumes",
            "environment",
            "stdin",
            "arguments",
            "lifetime",
            "pullPolicy",
        ];
        let fields = self.fields(node, KNOWN)?;
        let image = self.need(&fields, "image");
        for node in [image, fields.get("name"), fields.get("command")] {
            self.owned(node.as_ref());
        }
        for name in ["ports", "volumes"] {
            if let Some(inner) = fields.get(name) {
                self.object(&inner);
            }
        }
        if let Some(policy) = fields.get("pullPolicy") {
            self.word(
                &policy,
                &[("ifNotPresent", ()), ("always", ()), ("never", ())],
            );
        }
        if let Some(lifetime) = fields.get("lifetime") {
            self.lifetime(&lifetime);
        }
        Some(self.streams(&fields))
    }

    fn lifetime(&mut self, node: &Node<'_>) -> Option<()> {
        let fields = self.fields(node, &["cleanup", "after"])?;
        let words = [("always", false), ("never", false), ("eventually", true)];
        let cleanup = self.need(&fields, "cleanup")?;
        let eventually = self.word(&cleanup, &words)?;
        self.length_of(fields.get("after").as_ref());
        if eventually != fields.map.contains_key("after") {
            let message = "after goes with cleanup: eventually, and only with it";
            self.complain("ambiguous", &fields.pointer, message);
        }
        Some(())
    }

    fn script(&mut self, node: &Node<'_>) -> Option<Option<Expression>> {
        const KNOWN: &[&str] = &[
            "language",
            "stdin",
            "arguments",
            "environment",
            "code",
            "source",
        ];
        let fields = self.fields(node, KNOWN)?;
        let language = self.need(&fields, "language");
        self.owned(language.as_ref());
        match self.one_of(&fields, &["code", "source"])? {
            ("code", inner) => {
                self.text(&inner);
            }
            (_, inner) => {
                self.resource(&inner);
            }
        }
        Some(self.streams(&fields))
    }

    fn shell(&mut self, node: &Node<'_>) -> Option<Option<Expression>> {
        let fields = self.fields(node, &["command", "stdin", "arguments", "environment"])?;
        let command = self.need(&fields, "command");
        self.owned(command.as_ref());
        Some(self.streams(&fields))
    }

    /// What every process has; gives its standard input.
    fn streams(&mut self, fields: &Fields<'_>) -> Option<Expression> {
        if let Some(environment) = fields.get("environment") {
            self.object(&environment);
        }
        if let Some(arguments) = fields.get("arguments") {
            self.texts(&arguments);
        }
        let stdin = fields.get("stdin")?;
        match stdin.value {
            Value::String(text) if Expression::inside(text).is_some() => self.expression(&stdin),
            _ => {
                let text = self.text(&stdin)?;
                Some(Expression::new(&Value::from(text).to_string()))
            }
        }
    }
}
