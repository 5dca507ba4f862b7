-- Definitions as they were first seen, and names that are never given to another tool.
CREATE TABLE tool_pins (
    tool TEXT NOT NULL PRIMARY KEY,
    service TEXT NOT NULL,
    digest TEXT NOT NULL,
    definition TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pinned' CHECK (state IN ('pinned', 'quarantined')),
    seen_digest TEXT,
    seen_definition TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE tool_aliases (
    alias TEXT NOT NULL PRIMARY KEY,
    tool TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);
