-- Runs of workflows: what was asked, where each run stands, and everything it waits for. State, input
-- and output are JSON. One commit moves a run on; what it asked for is sent only after that commit.
CREATE TABLE workflow_definitions (
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    digest TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    source TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (organization_id, digest)
);
CREATE INDEX workflow_definitions_name
    ON workflow_definitions (organization_id, namespace, name, created_at);

CREATE TABLE workflows (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    namespace_id TEXT,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    form TEXT NOT NULL CHECK (form IN ('dsl', 'short')),
    input TEXT NOT NULL,
    output TEXT,
    status TEXT NOT NULL
        CHECK (status IN ('pending', 'running', 'waiting', 'completed', 'failed', 'cancelled')),
    phase TEXT NOT NULL CHECK (phase IN
        ('pending', 'running', 'waiting', 'suspended', 'cancelled', 'faulted', 'completed')),
    current_step TEXT,
    waits TEXT NOT NULL DEFAULT '[]',
    error TEXT,
    correlation_id TEXT NOT NULL,
    principal TEXT NOT NULL,
    idempotency_key TEXT,
    request_hash TEXT NOT NULL,
    depth INTEGER NOT NULL DEFAULT 0,
    parent_id TEXT,
    parent_path TEXT,
    schedule_id TEXT,
    rerun_of TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    finished_at INTEGER
);
CREATE UNIQUE INDEX workflows_key ON workflows (principal, idempotency_key);
CREATE INDEX workflows_organization ON workflows (organization_id, created_at);
CREATE INDEX workflows_status ON workflows (organization_id, status, created_at);
CREATE INDEX workflows_parent ON workflows (parent_id);
CREATE INDEX workflows_schedule ON workflows (schedule_id, created_at);
CREATE INDEX workflows_finished ON workflows (finished_at);

-- One row per run that is not over. `seq` counts commits: a commit that finds another one is refused,
-- so that of two hubs only one moves a run on. `owner` is the hub that has it.
CREATE TABLE workflow_states (
    workflow_id TEXT NOT NULL PRIMARY KEY REFERENCES workflows (id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    seq INTEGER NOT NULL,
    in_flight INTEGER NOT NULL DEFAULT 0,
    sealed INTEGER NOT NULL DEFAULT 0 CHECK (sealed IN (0, 1)),
    owner TEXT
) WITHOUT ROWID;
CREATE INDEX workflow_states_owner ON workflow_states (owner);

-- What has happened and was not yet taken in by its run.
CREATE TABLE workflow_inbox (
    id TEXT NOT NULL PRIMARY KEY,
    workflow_id TEXT NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    event TEXT NOT NULL,
    at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX workflow_inbox_run ON workflow_inbox (workflow_id, id);

CREATE TABLE workflow_timers (
    workflow_id TEXT NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    timer TEXT NOT NULL,
    due INTEGER NOT NULL,
    PRIMARY KEY (workflow_id, path, timer)
) WITHOUT ROWID;
CREATE INDEX workflow_timers_due ON workflow_timers (due);

CREATE TABLE workflow_steps (
    workflow_id TEXT NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    name TEXT NOT NULL,
    service TEXT,
    tool TEXT,
    params TEXT,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    result TEXT,
    result_digest TEXT,
    error TEXT,
    idempotency_key TEXT,
    approval_id TEXT,
    position INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER,
    PRIMARY KEY (workflow_id, path)
) WITHOUT ROWID;

-- Everything that happened to a run, in order.
CREATE TABLE workflow_events (
    workflow_id TEXT NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    type TEXT NOT NULL,
    path TEXT,
    data TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (workflow_id, seq)
) WITHOUT ROWID;

-- Outputs larger than 4 KiB, once per content.
CREATE TABLE workflow_blobs (
    digest TEXT NOT NULL PRIMARY KEY,
    content TEXT NOT NULL,
    created_at INTEGER NOT NULL
);

CREATE TABLE workflow_attributes (
    workflow_id TEXT NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (workflow_id, name)
) WITHOUT ROWID;
CREATE INDEX workflow_attributes_value ON workflow_attributes (name, value);

-- Who holds a lock and who waits for it, in the order they came.
CREATE TABLE workflow_locks (
    organization_id TEXT NOT NULL,
    lock_key TEXT NOT NULL,
    workflow_id TEXT NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    ticket TEXT NOT NULL,
    held_at INTEGER,
    asked_at INTEGER NOT NULL,
    PRIMARY KEY (organization_id, lock_key, ticket)
);
CREATE UNIQUE INDEX workflow_locks_held ON workflow_locks (organization_id, lock_key)
    WHERE held_at IS NOT NULL;
CREATE INDEX workflow_locks_run ON workflow_locks (workflow_id);

-- Types of events a run listens for; the empty one stands for all.
CREATE TABLE workflow_awaits (
    workflow_id TEXT NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    organization_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    PRIMARY KEY (workflow_id, path, event_type)
) WITHOUT ROWID;
CREATE INDEX workflow_awaits_type ON workflow_awaits (organization_id, event_type);

-- What somebody was asked within a run; the question itself stands among the approvals.
CREATE TABLE workflow_approvals (
    approval_id TEXT NOT NULL PRIMARY KEY,
    workflow_id TEXT NOT NULL REFERENCES workflows (id) ON DELETE CASCADE,
    path TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    asked_by TEXT NOT NULL CHECK (asked_by IN ('policy', 'author')),
    digest TEXT
);
CREATE INDEX workflow_approvals_run ON workflow_approvals (workflow_id);

CREATE TABLE workflow_schedules (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    namespace_id TEXT,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    input TEXT NOT NULL,
    rule TEXT NOT NULL,
    principal TEXT NOT NULL,
    paused TEXT,
    failures INTEGER NOT NULL DEFAULT 0,
    next_at INTEGER,
    last_at INTEGER,
    last_run TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (organization_id, name)
);
CREATE INDEX workflow_schedules_next ON workflow_schedules (next_at);

CREATE TABLE workflow_checkpoints (
    workflow_id TEXT NOT NULL,
    step TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (workflow_id, step)
);

-- CloudEvents that came in, were emitted, or tell of runs; `sent_at` is set once the webhook has them.
CREATE TABLE workflow_cloudevents (
    seq INTEGER NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL,
    id TEXT NOT NULL,
    source TEXT NOT NULL,
    type TEXT NOT NULL,
    subject TEXT,
    workflow_id TEXT,
    event TEXT NOT NULL,
    at INTEGER NOT NULL,
    pending INTEGER NOT NULL DEFAULT 0 CHECK (pending IN (0, 1)),
    UNIQUE (organization_id, source, id)
);
CREATE INDEX workflow_cloudevents_pending ON workflow_cloudevents (pending, seq);
CREATE INDEX workflow_cloudevents_at ON workflow_cloudevents (at);
