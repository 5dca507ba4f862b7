-- What an author wants to know with a decision, and what people answered.
ALTER TABLE approvals ADD COLUMN form TEXT;
ALTER TABLE approvals ADD COLUMN reason_required INTEGER NOT NULL DEFAULT 0;
ALTER TABLE approval_votes ADD COLUMN form TEXT;
