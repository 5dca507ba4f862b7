-- Which steps refer to a kept output: what nobody refers to is removed, and is found by this.
CREATE INDEX workflow_steps_digest ON workflow_steps (result_digest) WHERE result_digest IS NOT NULL;
