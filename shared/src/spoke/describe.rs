//! What the spoke says of itself over gRPC. Made once at start.

use super::call::Core;
use super::catalogue::Entry;
use crate::tool::Effect;
use proto::spoke::{self, DescribeReply, Limits};

/// The whole description; sorted by id, so that equal builds describe themselves equally.
pub(super) fn reply(core: &Core) -> DescribeReply {
    let service = core.service;
    let bounds = &core.bounds;
    DescribeReply {
        service: service.name.to_owned(),
        version: service.version.to_owned(),
        boot_id: core.boot_id.clone(),
        namespaces: service.namespaces.iter().map(|n| (*n).to_owned()).collect(),
        tools: core
            .catalogue
            .entries()
            .iter()
            .map(|entry| tool(entry))
            .collect(),
        canary: service.canary.to_owned(),
        manifest_digest: core.catalogue.digest.clone(),
        limits: Some(Limits {
            max_concurrent_calls: bounds.calls,
            max_arguments_bytes: bytes(bounds.arguments.bytes),
            max_result_bytes: bytes(bounds.result_bytes),
        }),
    }
}

fn tool(entry: &Entry) -> spoke::Tool {
    let definition = entry.definition();
    let spec = &definition.spec;
    spoke::Tool {
        id: definition.id.to_string(),
        title: definition.title(),
        description: spec.description.to_owned(),
        input_schema_json: definition.input_schema.to_string().into(),
        output_schema_json: definition.output_schema.to_string().into(),
        effect: effect(spec.effect).into(),
        effect_per_call: spec.effect_per_call,
        idempotent: spec.idempotent,
        long_running: spec.long_running,
        destructive: spec.destructive,
        open_world: spec.open_world,
        sensitive: spec.sensitive,
        aliases: spec
            .aliases
            .iter()
            .map(|alias| (*alias).to_owned())
            .collect(),
        digest: entry.digest.clone(),
        live: spec.live,
    }
}

/// The effect on the wire.
pub(super) const fn effect(effect: Effect) -> spoke::Effect {
    match effect {
        Effect::Read => spoke::Effect::Read,
        Effect::MutateOwn => spoke::Effect::MutateOwn,
        Effect::Mutate => spoke::Effect::Mutate,
        Effect::Critical => spoke::Effect::Critical,
    }
}

fn bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
