//! From the hub's settings to those of each part.

use super::StartError;
use crate::approvals::ApprovalsConfig;
use crate::artefacts::ArtefactsConfig;
use crate::cache::CacheConfig;
use crate::config::{Config, EnvironmentKind, InvalidConfig, Mode};
use crate::gateway::GatewayConfig;
use crate::limits::LimitsConfig;
use crate::policy::Rates;
use crate::registry::RegistryConfig;
use crate::resilience::{BreakerConfig, BulkheadConfig, ResilienceConfig, RetryConfig};
use crate::transport::HttpSettings;
use crate::transport::views::Views;
use http::HeaderName;
use std::time::Duration;

/// Deepest nesting of calls that call.
const MAX_DEPTH: u8 = 8;
/// Names of the hub in its network of containers.
const CONTAINER_NAMES: [&str; 2] = ["waygate", "00_master_mcp"];

pub(super) fn gateway(config: &Config) -> GatewayConfig {
    GatewayConfig {
        normal_timeout: Duration::from_secs(config.timeouts.default),
        long_timeout: Duration::from_secs(config.timeouts.long_running),
        max_depth: MAX_DEPTH,
    }
}

pub(super) fn registry(config: &Config) -> RegistryConfig {
    RegistryConfig {
        health_interval: Duration::from_secs(config.spokes.health_interval_seconds),
        health_timeout: Duration::from_secs(config.spokes.health_timeout_seconds),
        unhealthy_after: config.spokes.unhealthy_after,
        ..RegistryConfig::default()
    }
}

pub(super) fn resilience(config: &Config) -> ResilienceConfig {
    ResilienceConfig {
        bulkhead: BulkheadConfig {
            in_flight: config.bulkhead.in_flight,
            changes: config.bulkhead.mutations,
            queue: config.bulkhead.queue,
            wait: Duration::from_millis(config.bulkhead.wait_ms),
        },
        retry: RetryConfig {
            attempts: config.retry_policies.max_attempts,
            factor: config.retry_policies.backoff_factor,
            ..RetryConfig::default()
        },
        breaker: BreakerConfig {
            failures: config.circuit_breaker.threshold,
            open_for: Duration::from_secs(config.circuit_breaker.timeout),
            slow_after: Duration::from_secs(config.timeouts.default),
            ..BreakerConfig::default()
        },
        normal_timeout: Duration::from_secs(config.timeouts.default),
    }
}

pub(super) fn artefacts(config: &Config) -> ArtefactsConfig {
    ArtefactsConfig {
        limit_bytes: config.results.limit_bytes,
        kept: Duration::from_secs(config.results.keep_seconds),
    }
}

pub(super) fn views(config: &Config) -> Result<Views, InvalidConfig> {
    Views::new(&config.views).map_err(|error| InvalidConfig::Rule {
        key: "views",
        rule: error.to_string(),
    })
}

pub(super) fn cache(config: &Config) -> CacheConfig {
    CacheConfig {
        ttl: Duration::from_secs(config.cache.ttl),
        max_bytes: config.cache.max_bytes,
    }
}

pub(super) fn limits(config: &Config) -> LimitsConfig {
    let ip_per_minute = match config.environment {
        EnvironmentKind::Production => config.limits.ip_per_minute,
        EnvironmentKind::Development | EnvironmentKind::Test => {
            config.limits.ip_per_minute.max(100)
        }
    };
    LimitsConfig {
        ip_per_minute,
        user_per_minute: config.limits.user_per_minute,
        organization: Rates {
            per_minute: config.limits.organization_per_minute,
            per_hour: config.limits.organization_per_hour,
            per_day: config.limits.organization_per_day,
            burst: 0,
        },
        services: config.rate_limits.clone(),
    }
}

pub(super) fn approvals(config: &Config) -> ApprovalsConfig {
    ApprovalsConfig {
        decide_within: Duration::from_secs(config.approvals.decide_seconds),
        use_within: Duration::from_secs(config.approvals.token_seconds),
        public_url: config.server.public_url.trim_end_matches('/').to_owned(),
        ..ApprovalsConfig::default()
    }
}

pub(super) fn http(config: &Config) -> Result<HttpSettings, StartError> {
    let server = &config.server;
    let header = HeaderName::try_from(server.api_key_header.as_str()).map_err(|_error| {
        InvalidConfig::Rule {
            key: "WAYGATE_API_KEY_HEADER",
            rule: "must be a header name".into(),
        }
    })?;
    let public = url::Url::parse(&server.public_url).ok();
    let public_host = public
        .as_ref()
        .and_then(url::Url::host_str)
        .map(str::to_owned);
    // Other containers know the hub by these names, whatever its public address is.
    let own: &[&str] = match config.mode {
        Mode::Container => &CONTAINER_NAMES,
        Mode::LocalVm => &[],
    };
    Ok(HttpSettings {
        api_key_header: header,
        trusted_proxies: server.trusted_proxies.clone(),
        metrics_allow: server.metrics_allow.clone(),
        allowed_hosts: server
            .allowed_hosts
            .iter()
            .cloned()
            .chain(public_host)
            .chain(own.iter().map(ToString::to_string))
            .collect(),
        cors_origins: server.cors_origins.clone(),
        body_bytes: server.max_request_size_bytes,
        request_timeout: Duration::from_secs(server.timeout_seconds),
        endpoint_per_minute: config.limits.endpoint_per_minute,
        execute_per_minute: config.limits.execute_per_minute,
        max_streams: server.max_connections,
        https: public.is_some_and(|url| url.scheme() == "https"),
        development: !config.is_production(),
        data_folder: config.paths.below_base(&config.paths.data),
        mode: config.mode.as_str(),
        public_url: server.public_url.trim_end_matches('/').to_owned(),
    })
}
