-- Tokens of third-party servers, and who the hub is where they came from; sealed.
CREATE TABLE server_tokens (
    server TEXT NOT NULL PRIMARY KEY,
    issuer TEXT NOT NULL,
    body TEXT NOT NULL,
    updated_at INTEGER NOT NULL
);
