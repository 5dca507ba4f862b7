DROP TABLE idempotency_keys;
DROP TABLE mcp_sessions;
