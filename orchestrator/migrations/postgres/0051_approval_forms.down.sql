ALTER TABLE approval_votes DROP COLUMN form;
ALTER TABLE approvals DROP COLUMN reason_required;
ALTER TABLE approvals DROP COLUMN form;
