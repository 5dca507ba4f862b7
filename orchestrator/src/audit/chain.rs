//! The chain itself: what is hashed, in which form. Pure.

use super::record::{Draft, Phase};
use crate::store::{Argument, Row, StoreError};
use aws_lc_rs::digest::{Context, SHA256};
use std::io::Write;
use std::sync::Arc;

/// The hash before the first record.
pub(in crate::audit) const GENESIS: &str =
    "0000000000000000000000000000000000000000000000000000000000000000";

/// The end of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::audit) struct Head {
    /// Place of the last record; 0 when there is none.
    pub(in crate::audit) seq: i64,
    /// Its hash, in hex.
    pub(in crate::audit) hash: String,
}

impl Head {
    pub(in crate::audit) fn start() -> Self {
        Self {
            seq: 0,
            hash: GENESIS.to_owned(),
        }
    }
}

/// A record in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::audit) struct Entry {
    pub(in crate::audit) seq: i64,
    pub(in crate::audit) draft: Draft,
    /// Name of the hub that wrote it.
    pub(in crate::audit) instance: String,
    pub(in crate::audit) prev_hash: String,
    pub(in crate::audit) hash: String,
}

/// Columns of `audit_logs`, in the order of [`Entry::arguments`].
pub(in crate::audit) const COLUMNS: [&str; 17] = [
    "seq",
    "id",
    "phase",
    "organization_id",
    "namespace_id",
    "action",
    "resource_type",
    "resource_id",
    "actor_id",
    "actor_ip",
    "code",
    "metadata",
    "correlation_id",
    "instance",
    "created_at",
    "prev_hash",
    "hash",
];

impl Entry {
    /// Puts a draft behind `head`, and moves `head` on.
    pub(in crate::audit) fn link(draft: Draft, instance: &str, head: &mut Head) -> Self {
        let mut entry = Self {
            seq: head.seq + 1,
            draft,
            instance: instance.to_owned(),
            prev_hash: std::mem::take(&mut head.hash),
            hash: String::new(),
        };
        entry.hash = entry.computed_hash();
        head.seq = entry.seq;
        head.hash.clone_from(&entry.hash);
        entry
    }

    /// SHA-256 (hex) over the hash before and the record.
    pub(in crate::audit) fn computed_hash(&self) -> String {
        let mut context = Context::new(&SHA256);
        context.update(self.prev_hash.as_bytes());
        context.update(&self.canonical());
        hex::encode(context.finish())
    }

    /// The record as JSON with sorted keys, byte for byte what is hashed. The metadata stands in it as
    /// it is stored; every other text is escaped, so no two records have the same bytes.
    pub(in crate::audit) fn canonical(&self) -> Vec<u8> {
        let draft = &self.draft;
        let mut json = Vec::with_capacity(512 + draft.metadata.len());
        let optional = |text: &Option<Arc<str>>| text.as_deref().map_or_else(null, quoted);
        field(&mut json, "action", &quoted(&draft.action));
        field(&mut json, "actor_id", &quoted(&draft.actor));
        field(&mut json, "actor_ip", &optional(&draft.address));
        field(&mut json, "code", &optional(&draft.code));
        field(
            &mut json,
            "correlation_id",
            &optional(&draft.correlation_id),
        );
        field(&mut json, "created_at", &number(draft.at));
        field(&mut json, "id", &quoted(&draft.id));
        field(&mut json, "instance", &quoted(&self.instance));
        field(&mut json, "metadata", draft.metadata.as_bytes());
        field(&mut json, "namespace_id", &optional(&draft.namespace));
        field(&mut json, "organization_id", &quoted(&draft.organization));
        field(&mut json, "phase", &quoted(draft.phase.as_str()));
        field(&mut json, "resource_id", &quoted(&draft.resource_id));
        field(&mut json, "resource_type", &quoted(&draft.resource_type));
        field(&mut json, "seq", &number(self.seq));
        json.push(b'}');
        json
    }

    /// The values of a row, in the order of [`COLUMNS`].
    pub(in crate::audit) fn arguments(self) -> [Argument; 17] {
        let draft = self.draft;
        [
            self.seq.into(),
            draft.id.into(),
            draft.phase.as_str().into(),
            draft.organization.into(),
            draft.namespace.into(),
            draft.action.into(),
            draft.resource_type.into(),
            draft.resource_id.into(),
            draft.actor.into(),
            draft.address.into(),
            draft.code.into(),
            draft.metadata.into(),
            draft.correlation_id.into(),
            self.instance.into(),
            draft.at.into(),
            self.prev_hash.into(),
            self.hash.into(),
        ]
    }

    /// Reads a row.
    pub(in crate::audit) fn of_row(row: &Row) -> Result<Self, StoreError> {
        let text = |column| row.text(column).map(str::to_owned);
        let shared = |column| row.text(column).map(Arc::from);
        let optional = |column| row.optional_text(column).map(|text| text.map(Arc::from));
        Ok(Self {
            seq: row.integer("seq")?,
            draft: Draft {
                id: shared("id")?,
                phase: Phase::parse(row.text("phase")?).ok_or(StoreError::Column("phase"))?,
                organization: shared("organization_id")?,
                namespace: optional("namespace_id")?,
                action: shared("action")?,
                resource_type: shared("resource_type")?,
                resource_id: shared("resource_id")?,
                actor: shared("actor_id")?,
                address: optional("actor_ip")?,
                code: optional("code")?,
                metadata: shared("metadata")?,
                correlation_id: optional("correlation_id")?,
                at: row.integer("created_at")?,
            },
            instance: text("instance")?,
            prev_hash: text("prev_hash")?,
            hash: text("hash")?,
        })
    }
}

fn field(json: &mut Vec<u8>, name: &str, value: &[u8]) {
    json.push(if json.is_empty() { b'{' } else { b',' });
    json.push(b'"');
    json.extend_from_slice(name.as_bytes());
    json.extend_from_slice(b"\":");
    json.extend_from_slice(value);
}

fn quoted(text: &str) -> Vec<u8> {
    let mut json = Vec::with_capacity(text.len() + 2);
    serde_json::to_writer(&mut json, text).expect("a string is JSON and memory takes it");
    json
}

fn number(value: i64) -> Vec<u8> {
    let mut json = Vec::with_capacity(20);
    write!(json, "{value}").expect("memory takes every number");
    json
}

fn null() -> Vec<u8> {
    b"null".to_vec()
}

#[cfg(test)]
mod tests {
    use super::super::record::Event;
    use super::*;
    use serde_json::{Value, json};

    fn entry() -> Entry {
        let event = Event {
            action: "key.created",
            resource_type: "api_key",
            resource_id: "k\"1\n".into(),
            actor: "key:1".into(),
            organization: "default".into(),
            address: Some([127, 0, 0, 1].into()),
            details: json!({"b": 1, "a": [true, null, 12_345_678_901_234_567_890_u64]}),
            correlation_id: None,
        };
        Entry::link(Draft::of_event(event, 7), "hub", &mut Head::start())
    }

    #[test]
    fn the_canonical_form_is_json_with_sorted_keys() {
        let bytes = entry().canonical();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        let keys: Vec<&String> = value.as_object().unwrap().keys().collect();
        assert!(keys.is_sorted());
        assert_eq!(keys.len(), COLUMNS.len() - 2);
        assert_eq!(value["resource_id"], "k\"1\n");
        assert_eq!(
            value["metadata"]["a"][2],
            json!(12_345_678_901_234_567_890_u64)
        );
    }

    #[test]
    fn every_field_is_hashed() {
        let good = entry();
        assert_eq!(good.hash, good.computed_hash());
        let changes: [fn(&mut Entry); 16] = [
            |e| e.seq += 1,
            |e| e.draft.id = "other".into(),
            |e| e.draft.phase = Phase::Intent,
            |e| e.draft.organization = "other".into(),
            |e| e.draft.namespace = Some("x".into()),
            |e| e.draft.action = "other".into(),
            |e| e.draft.resource_type = "other".into(),
            |e| e.draft.resource_id = "other".into(),
            |e| e.draft.actor = "other".into(),
            |e| e.draft.address = None,
            |e| e.draft.code = Some("OK".into()),
            |e| e.draft.metadata = "{}".into(),
            |e| e.draft.correlation_id = Some("x".into()),
            |e| e.instance.push('x'),
            |e| e.draft.at += 1,
            |e| e.prev_hash.replace_range(0..1, "1"),
        ];
        for (n, change) in changes.into_iter().enumerate() {
            let mut changed = good.clone();
            change(&mut changed);
            assert_ne!(changed.computed_hash(), good.hash, "change {n}");
        }
    }

    #[test]
    fn a_chain_goes_on_from_its_head() {
        let mut head = Head::start();
        let draft = entry().draft;
        let one = Entry::link(draft.clone(), "hub", &mut head);
        let two = Entry::link(draft, "hub", &mut head);
        assert_eq!((one.seq, two.seq, head.seq), (1, 2, 2));
        assert_eq!(
            (one.prev_hash.as_str(), &two.prev_hash),
            (GENESIS, &one.hash)
        );
        assert_eq!(head.hash, two.hash);
    }
}
