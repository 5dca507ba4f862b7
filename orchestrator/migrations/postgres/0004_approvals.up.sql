-- What people were asked, and what each of them said.
CREATE TABLE approvals (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    namespace_id TEXT,
    principal TEXT NOT NULL,
    requester TEXT NOT NULL,
    tool TEXT NOT NULL,
    service TEXT NOT NULL,
    effect TEXT NOT NULL CHECK (effect IN ('read', 'mutate_own', 'mutate', 'critical')),
    rule TEXT NOT NULL,
    arguments TEXT NOT NULL,
    arguments_hash TEXT NOT NULL,
    summary TEXT NOT NULL,
    readiness TEXT NOT NULL DEFAULT '[]',
    required BIGINT NOT NULL DEFAULT 1 CHECK (required >= 1),
    roles TEXT NOT NULL DEFAULT '[]',
    self_approval BIGINT NOT NULL DEFAULT 0 CHECK (self_approval IN (0, 1)),
    state TEXT NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'approved', 'rejected', 'expired', 'consumed')),
    token_hash TEXT,
    nonce TEXT,
    expires_at BIGINT NOT NULL,
    decided_at BIGINT,
    consumed_at BIGINT,
    workflow_id TEXT,
    step TEXT,
    correlation_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX approvals_same_call ON approvals (principal, tool, arguments_hash, state);
CREATE INDEX approvals_organization ON approvals (organization_id, state, created_at);
CREATE INDEX approvals_expiry ON approvals (state, expires_at);
CREATE UNIQUE INDEX approvals_token ON approvals (token_hash);

CREATE TABLE approval_votes (
    approval_id TEXT NOT NULL REFERENCES approvals (id) ON DELETE CASCADE,
    approver TEXT NOT NULL,
    decision TEXT NOT NULL CHECK (decision IN ('approve', 'reject')),
    note TEXT,
    at BIGINT NOT NULL,
    PRIMARY KEY (approval_id, approver)
);
