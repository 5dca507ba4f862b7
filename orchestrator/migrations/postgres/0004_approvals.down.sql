DROP TABLE approval_votes;
DROP TABLE approvals;
