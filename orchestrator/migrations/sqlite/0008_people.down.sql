DROP INDEX approval_votes_person;
ALTER TABLE approval_votes DROP COLUMN person;
ALTER TABLE approvals DROP COLUMN requester_person;
