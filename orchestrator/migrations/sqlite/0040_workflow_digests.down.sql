DROP INDEX workflow_steps_digest;
