-- Who is behind a request and a vote: one person with two keys is still one person.
ALTER TABLE approvals ADD COLUMN requester_person TEXT;
ALTER TABLE approval_votes ADD COLUMN person TEXT;
CREATE UNIQUE INDEX approval_votes_person ON approval_votes (approval_id, person)
    WHERE person IS NOT NULL;
