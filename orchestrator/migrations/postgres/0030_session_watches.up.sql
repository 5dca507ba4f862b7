-- The resources the client of a session watches: a JSON list of URIs.
ALTER TABLE mcp_sessions ADD COLUMN watched TEXT NOT NULL DEFAULT '[]';
