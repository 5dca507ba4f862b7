-- Third-party servers. The specification is one JSON document; secrets in it are references.
CREATE TABLE mcp_servers (
    id TEXT NOT NULL PRIMARY KEY,
    organization_id TEXT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    namespace_id TEXT,
    name TEXT NOT NULL UNIQUE,
    specification TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE INDEX mcp_servers_organization ON mcp_servers (organization_id);
