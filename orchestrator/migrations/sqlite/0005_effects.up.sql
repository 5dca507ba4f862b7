-- One effect per idempotency key, and the hubs that may be at work on one.
CREATE TABLE hub_instances (
    id TEXT NOT NULL PRIMARY KEY,
    started_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
);

CREATE TABLE effect_ledger (
    principal TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    tool TEXT NOT NULL,
    arguments_hash TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('intent', 'done', 'failed', 'unknown')),
    result TEXT,
    instance TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (principal, idempotency_key)
);
CREATE INDEX effect_ledger_expiry ON effect_ledger (expires_at);
CREATE INDEX effect_ledger_instance ON effect_ledger (instance, state);
