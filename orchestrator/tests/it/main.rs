//! Black-box tests of the hub's library.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod approvals;
mod approvals_in_host;
mod artefacts;
mod audit_forgery;
mod audit_trail;
mod auth_keys;
mod auth_rights;
mod authority;
mod bench;
mod effect_ledger;
mod effects_rest;
mod fixture;
mod hidden_arguments;
mod hub;
mod mcp_abuse;
mod mcp_legacy;
mod mcp_listen;
mod mcp_modern;
mod mcp_schemas;
mod mcp_search;
mod mcp_stdio;
mod mcp_tasks;
mod oauth;
mod operations;
mod postgres;
mod rest;
mod rest_management;
mod rest_tools;
mod shared_in_redis;
mod stdio_bridge;
mod store_contract;
mod tracing_spans;
mod trail;
mod transport_rpc;
mod transport_sse;
mod transport_websocket;
mod views;
mod workflow_calls;
mod workflow_faults;
mod workflow_people;
mod workflow_schedules;
mod workflow_secrets;
mod workflow_state;
mod workflows;
