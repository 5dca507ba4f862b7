//! The environment variables of the hub. Source: `interfaces.md` 13.
//!
//! Addresses of spokes (`WAYGATE_SPOKE_URL_NN`, `MCP_PORT_NN…`) are read in `service`, by number.

use shared::config::{Kind, Variable};

use Kind::{Boolean, Integer, List, Text};

/// Every variable of the hub that sets one key.
pub const VARIABLES: &[Variable] = &[
    Variable::new("WAYGATE_ENV", "environment", Text).or(&["ENVIRONMENT"]),
    Variable::new("WAYGATE_MODE", "mode", Text),
    Variable::new("WAYGATE_HOST", "server.host", Text).or(&["SERVER_HOST"]),
    Variable::new("WAYGATE_PORT", "server.port", Integer).or(&["SERVER_PORT"]),
    Variable::new("WAYGATE_EXTRA_PORTS", "server.extra_ports", List),
    Variable::new("WAYGATE_PUBLIC_URL", "server.public_url", Text),
    Variable::new("WAYGATE_WORKERS", "server.workers", Integer),
    Variable::new(
        "WAYGATE_MAX_REQUEST_SIZE",
        "server.max_request_size_bytes",
        Integer,
    ),
    Variable::new("WAYGATE_TIMEOUT", "server.timeout_seconds", Integer),
    Variable::new("WAYGATE_MAX_CONNECTIONS", "server.max_connections", Integer),
    Variable::new("WAYGATE_ALLOWED_HOSTS", "server.allowed_hosts", List),
    Variable::new("WAYGATE_CORS_ORIGINS", "server.cors_origins", List)
        .or(&["CORS_ALLOWED_ORIGINS"]),
    Variable::new("WAYGATE_TRUSTED_PROXIES", "server.trusted_proxies", List),
    Variable::new("WAYGATE_METRICS_ALLOW", "server.metrics_allow", List),
    Variable::new("WAYGATE_API_KEY_HEADER", "server.api_key_header", Text),
    Variable::new("WAYGATE_BASE_DIR", "paths.base", Text),
    Variable::new("WAYGATE_DATA_DIR", "paths.data", Text),
    Variable::new("WAYGATE_CONFIG_DIR", "paths.config", Text),
    Variable::new("WAYGATE_SECRETS_DIR", "paths.secrets", Text),
    Variable::new("WAYGATE_DATABASE_URL", "database.url", Text)
        .or(&["DATABASE_URL", "WAYGATE_DB_URL"]),
    Variable::new("WAYGATE_DB_POOL_SIZE", "database.pool_size", Integer),
    Variable::new("WAYGATE_LOG_LEVEL", "logging.level", Text).or(&["LOG_LEVEL"]),
    Variable::new("WAYGATE_LOG_FORMAT", "logging.format", Text),
    Variable::new("WAYGATE_TRACING_ENABLED", "tracing.enabled", Boolean),
    Variable::new("WAYGATE_OTLP_ENDPOINT", "tracing.otlp_endpoint", Text)
        .or(&["OTEL_EXPORTER_OTLP_ENDPOINT"]),
    Variable::new("WAYGATE_APPROVAL_TTL", "approvals.decide_seconds", Integer),
    Variable::new(
        "WAYGATE_APPROVAL_TOKEN_TTL",
        "approvals.token_seconds",
        Integer,
    ),
    Variable::new("WAYGATE_WORKFLOW_WEBHOOK", "workflows.webhook_url", Text),
    Variable::new("WAYGATE_SPOKE_AUTH", "spokes.auth", Text),
    Variable::new("WAYGATE_SPOKE_TOKEN_PATH", "spokes.token_path", Text),
    Variable::new("WAYGATE_CALL_KEY_PATH", "spokes.call_key_path", Text),
    Variable::new("WAYGATE_STDIO_ALLOW", "third_party.programs", List),
    Variable::new("WAYGATE_OUTBOUND_ALLOW", "third_party.outbound", List),
    Variable::new("WAYGATE_RESULT_LIMIT", "results.limit_bytes", Integer),
    Variable::new("WAYGATE_SPOKE_TLS_CERT_PATH", "spokes.tls_cert_path", Text),
    Variable::new("WAYGATE_SPOKE_TLS_KEY_PATH", "spokes.tls_key_path", Text),
    Variable::new("WAYGATE_SPOKE_TLS_CA_PATH", "spokes.tls_ca_path", Text),
    Variable::new("WAYGATE_REDIS_URL", "redis.url", Text).or(&["REDIS_URL"]),
    Variable::new("REDIS_HOST", "redis.host", Text),
    Variable::new("REDIS_PORT", "redis.port", Integer),
    Variable::new("REDIS_DATABASE", "redis.database", Integer),
    Variable::new("WAYGATE_CACHE_TYPE", "cache.type", Text),
    Variable::new("WAYGATE_CACHE_TTL", "cache.ttl", Integer),
    Variable::new("WAYGATE_RATE_LIMIT", "limits.execute_per_minute", Integer),
    Variable::new("WAYGATE_IP_RATE_LIMIT", "limits.ip_per_minute", Integer),
];
