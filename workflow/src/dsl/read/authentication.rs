//! Reads authentication policies.
//!
//! They stay as written; using one is the driver's business.

use super::fields::{Fields, Node, Reader};
use serde_json::Value;

const GRANTS: &[&str] = &[
    "authorization_code",
    "client_credentials",
    "password",
    "refresh_token",
    "urn:ietf:params:oauth:grant-type:token-exchange",
];
const CLIENT: &[&str] = &[
    "client_secret_basic",
    "client_secret_post",
    "client_secret_jwt",
    "private_key_jwt",
    "none",
];
const ENCODINGS: &[&str] = &["application/x-www-form-urlencoded", "application/json"];
const OAUTH2: &[&str] = &[
    "authority",
    "grant",
    "client",
    "request",
    "issuers",
    "scopes",
    "audiences",
    "username",
    "password",
    "subject",
    "actor",
    "endpoints",
];

impl Reader<'_> {
    /// A policy, or the name of one in `use.authentications`; gives the policy.
    pub(super) fn authentication(&mut self, node: &Node<'_>) -> Option<Value> {
        let fields = self.object(node)?;
        let Some(name) = fields.get("use") else {
            self.policy(node);
            return Some(node.value.clone());
        };
        self.known(&fields, &["use"], "ambiguous");
        let text = self.text(&name)?;
        let found = self.named.authentications.get(text).cloned();
        if found.is_none() {
            self.not_named("unknown_authentication", &name, "authentications", text);
        }
        found
    }

    /// A policy.
    pub(super) fn policy(&mut self, node: &Node<'_>) {
        const SCHEMES: &[&str] = &["basic", "bearer", "digest", "oauth2", "oidc"];
        let Some(fields) = self.fields(node, SCHEMES) else {
            return;
        };
        let Some((scheme, inner)) = self.one_of(&fields, SCHEMES) else {
            return;
        };
        let Some(fields) = self.object(&inner) else {
            return;
        };
        if let Some(name) = fields.get("use") {
            self.known(&fields, &["use"], "ambiguous");
            self.secret(&name);
            return;
        }
        match scheme {
            "basic" | "digest" => self.texts_of(&fields, &["username", "password"], &[]),
            "bearer" => self.texts_of(&fields, &["token"], &[]),
            "oauth2" => self.oauth2(&fields, OAUTH2),
            _ => {
                let known: Vec<&str> = OAUTH2
                    .iter()
                    .copied()
                    .filter(|it| *it != "endpoints")
                    .collect();
                self.oauth2(&fields, &known);
            }
        }
    }

    fn secret(&mut self, node: &Node<'_>) {
        let Some(name) = self.text(node) else {
            return;
        };
        if !self.named.secrets.iter().any(|it| it == name) {
            self.not_named("unknown_secret", node, "secrets", name);
        }
    }

    /// An object of texts, some of which must be there.
    fn texts_of(&mut self, fields: &Fields<'_>, needed: &[&str], more: &[&str]) {
        let known: Vec<&str> = needed.iter().chain(more).copied().collect();
        self.known(fields, &known, "unknown_key");
        for name in needed {
            self.need(fields, name);
        }
        for (_, node) in fields.all() {
            self.phrase(Some(&node));
        }
    }

    fn texts_at(&mut self, node: &Node<'_>, needed: &[&str], more: &[&str]) {
        if let Some(fields) = self.object(node) {
            self.texts_of(&fields, needed, more);
        }
    }

    fn request(&mut self, node: &Node<'_>) {
        let fields = self.fields(node, &["encoding"]);
        if let Some(encoding) = fields.and_then(|it| it.get("encoding")) {
            self.one_word(&encoding, ENCODINGS);
        }
    }

    fn oauth2(&mut self, fields: &Fields<'_>, known: &[&str]) {
        self.known(fields, known, "unknown_key");
        for (name, node) in fields.all() {
            match name {
                "authority" => {
                    self.uri(&node);
                }
                "grant" => self.one_word(&node, GRANTS),
                "client" => self.client(&node),
                "request" => self.request(&node),
                "issuers" | "scopes" | "audiences" => {
                    self.texts(&node);
                    self.template(&node);
                }
                "subject" | "actor" => self.texts_at(&node, &["token", "type"], &[]),
                "endpoints" => self.texts_at(&node, &[], &["token", "revocation", "introspection"]),
                _ => {
                    self.phrase(Some(&node));
                }
            }
        }
    }

    fn client(&mut self, node: &Node<'_>) {
        let Some(fields) = self.object(node) else {
            return;
        };
        self.texts_of(
            &fields,
            &[],
            &["id", "secret", "assertion", "authentication"],
        );
        if let Some(method) = fields.get("authentication") {
            self.one_word(&method, CLIENT);
        }
    }

    fn one_word(&mut self, node: &Node<'_>, words: &[&str]) {
        let words: Vec<(&str, ())> = words.iter().map(|it| (*it, ())).collect();
        self.word(node, &words);
    }
}
