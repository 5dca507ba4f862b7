-- The trail: written once, in one order, each record bound to the one before it by its hash.
-- No foreign keys: a record outlives what it speaks of.
CREATE TABLE audit_logs (
    seq BIGINT NOT NULL PRIMARY KEY,
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
    created_at BIGINT NOT NULL,
    prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX audit_logs_id ON audit_logs (id);
CREATE INDEX audit_logs_correlation ON audit_logs (correlation_id);
CREATE INDEX audit_logs_organization ON audit_logs (organization_id, seq);
CREATE INDEX audit_logs_instance ON audit_logs (instance, seq) WHERE phase = 'intent';

CREATE FUNCTION audit_logs_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_logs is append-only';
END
$$;
CREATE TRIGGER audit_logs_no_change BEFORE UPDATE OR DELETE ON audit_logs
    FOR EACH ROW EXECUTE FUNCTION audit_logs_refuse();
CREATE TRIGGER audit_logs_no_truncate BEFORE TRUNCATE ON audit_logs
    FOR EACH STATEMENT EXECUTE FUNCTION audit_logs_refuse();

-- How far the trail reaches, signed. One row.
CREATE TABLE audit_checkpoint (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL,
    hash TEXT NOT NULL,
    at BIGINT NOT NULL,
    key_id TEXT NOT NULL,
    signature TEXT NOT NULL
);
