-- Keys are kept as SHA-256 of their text and the 8 characters people know them by.
CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    namespace_id TEXT REFERENCES namespaces (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    description TEXT,
    key_hash TEXT NOT NULL UNIQUE,
    prefix TEXT NOT NULL,
    key_type TEXT NOT NULL DEFAULT 'user' CHECK (key_type IN ('user', 'a2a')),
    role TEXT NOT NULL DEFAULT 'api_user' CHECK (role IN ('admin', 'user', 'viewer', 'api_user')),
    permissions TEXT NOT NULL DEFAULT '["read"]',
    rate_limit BIGINT NOT NULL DEFAULT 100 CHECK (rate_limit >= 0),
    expires_at BIGINT,
    last_used_at BIGINT,
    is_active BIGINT NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    created_by TEXT NOT NULL,
    revoked_at BIGINT,
    revoked_by TEXT,
    revoke_reason TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX api_keys_organization ON api_keys (organization_id, created_at);
CREATE INDEX api_keys_namespace ON api_keys (namespace_id);
CREATE INDEX api_keys_user ON api_keys (user_id);
CREATE INDEX api_keys_revoked ON api_keys (revoked_at);
