DROP INDEX effect_ledger_open;
DROP INDEX effect_ledger_id;
ALTER TABLE effect_ledger DROP COLUMN organization_id;
ALTER TABLE effect_ledger DROP COLUMN id;
