-- What outlives a connection: sessions of older protocol revisions, answers to repeated requests.
CREATE TABLE mcp_sessions (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    namespace_id TEXT,
    principal TEXT NOT NULL,
    protocol TEXT NOT NULL,
    client TEXT NOT NULL DEFAULT '{}',
    capabilities TEXT NOT NULL DEFAULT '{}',
    log_level TEXT,
    created_at BIGINT NOT NULL,
    last_activity BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX mcp_sessions_principal ON mcp_sessions (principal);
CREATE INDEX mcp_sessions_organization ON mcp_sessions (organization_id);
CREATE INDEX mcp_sessions_expiry ON mcp_sessions (expires_at);

CREATE TABLE idempotency_keys (
    principal TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    route TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    status BIGINT,
    answer TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (principal, idempotency_key)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
