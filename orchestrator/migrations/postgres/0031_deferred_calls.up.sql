-- Calls whose caller comes back for the answer. The answer is sealed; NULL while there is none.
CREATE TABLE deferred_calls (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    principal TEXT NOT NULL,
    status TEXT NOT NULL,
    answer TEXT,
    instance TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX deferred_calls_organization ON deferred_calls (organization_id);
CREATE INDEX deferred_calls_expiry ON deferred_calls (expires_at);
