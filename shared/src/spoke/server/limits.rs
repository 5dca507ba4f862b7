//! The settings as bounds.

use crate::arguments::Limits;
use crate::http::EdgeLimits;
use crate::spoke::call::Bounds;
use crate::spoke::settings::Settings;
use std::time::Duration;

/// What gRPC framing and the context add to the arguments, in bytes.
pub(super) const GRPC_ROOM: usize = 64 * 1024;

/// Bounds of calls.
pub(super) fn bounds(settings: &Settings) -> Bounds {
    let size = |bytes: u32| usize::try_from(bytes).unwrap_or(usize::MAX);
    Bounds {
        calls: settings.max_concurrent_calls.into(),
        arguments: Limits {
            bytes: size(settings.max_request_bytes),
            ..Limits::default()
        },
        result_bytes: size(settings.max_result_bytes),
        timeout: Duration::from_secs(settings.timeout_seconds.into()),
        long_timeout: Duration::from_secs(settings.long_timeout_seconds.into()),
    }
}

/// Bounds of the listener.
pub(super) fn edge_limits(settings: &Settings) -> EdgeLimits {
    let bounds = bounds(settings);
    EdgeLimits {
        body_bytes: bounds.arguments.bytes.saturating_add(GRPC_ROOM),
        ..EdgeLimits::default()
    }
}
