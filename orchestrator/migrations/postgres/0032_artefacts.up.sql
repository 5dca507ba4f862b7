-- Results too large for a host, for their caller to read in parts. The text is sealed.
CREATE TABLE artefacts (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    principal TEXT NOT NULL,
    tool TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX artefacts_principal ON artefacts (organization_id, principal, created_at);
CREATE INDEX artefacts_expiry ON artefacts (expires_at);
