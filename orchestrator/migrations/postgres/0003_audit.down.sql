DROP TABLE audit_checkpoint;
DROP TABLE audit_logs;
DROP FUNCTION audit_logs_refuse();
