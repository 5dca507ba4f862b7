//! Generated code of `waygate.spoke.v1`, the gRPC contract between the hub and its spokes.
#![expect(
    missing_docs,
    unused_qualifications,
    clippy::all,
    clippy::struct_excessive_bools,
    clippy::too_many_lines,
    clippy::missing_errors_doc,
    clippy::doc_markdown,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]

tonic::include_proto!("waygate.spoke.v1");

/// The encoded `FileDescriptorSet` of this contract, for gRPC reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/spoke.bin"));
