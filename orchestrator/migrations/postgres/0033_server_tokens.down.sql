DROP TABLE server_tokens;
