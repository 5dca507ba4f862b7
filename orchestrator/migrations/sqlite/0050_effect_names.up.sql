-- How people name an effect, and whose it is.
ALTER TABLE effect_ledger ADD COLUMN id TEXT;
ALTER TABLE effect_ledger ADD COLUMN organization_id TEXT NOT NULL DEFAULT 'default';
UPDATE effect_ledger SET id = 'eff_' || lower(hex(randomblob(16)));
CREATE UNIQUE INDEX effect_ledger_id ON effect_ledger (id);
CREATE INDEX effect_ledger_open ON effect_ledger (organization_id, state, created_at);
