DROP TABLE effect_ledger;
DROP TABLE hub_instances;
