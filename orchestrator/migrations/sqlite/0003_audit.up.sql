-- The trail: written once, in one order, each record bound to the one before it by its hash.
-- No foreign keys: a record outlives what it speaks of.
CREATE TABLE audit_logs (
    seq INTEGER NOT NULL PRIMARY KEY,
    id TEXT NOT NULL,
    phase TEXT NOT NULL CHECK (phase IN ('intent', 'outcome', 'event')),
    organization_id TEXT NOT NULL,
    namespace_id TEXT,
    action TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    actor_ip TEXT,
    code TEXT,
    metadata TEXT NOT NULL,
    correlation_id TEXT,
    instance TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX audit_logs_id ON audit_logs (id);
CREATE INDEX audit_logs_correlation ON audit_logs (correlation_id);
CREATE INDEX audit_logs_organization ON audit_logs (organization_id, seq);
CREATE INDEX audit_logs_instance ON audit_logs (instance, seq) WHERE phase = 'intent';

CREATE TRIGGER audit_logs_no_update BEFORE UPDATE ON audit_logs
BEGIN
    SELECT RAISE(ABORT, 'audit_logs is append-only');
END;
CREATE TRIGGER audit_logs_no_delete BEFORE DELETE ON audit_logs
BEGIN
    SELECT RAISE(ABORT, 'audit_logs is append-only');
END;

-- How far the trail reaches, signed. One row.
CREATE TABLE audit_checkpoint (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seq INTEGER NOT NULL,
    hash TEXT NOT NULL,
    at INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    signature TEXT NOT NULL
);
