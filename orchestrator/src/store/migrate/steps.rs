//! The list of steps: the SQL files under `migrations/`, compiled in.

use aws_lc_rs::digest::{SHA256, digest};

/// One step of the schema.
pub(in crate::store) struct Step {
    pub(in crate::store) version: i64,
    pub(in crate::store) name: &'static str,
    sqlite: Sql,
    postgres: Sql,
}

/// Both ways of one step, for one database.
#[derive(Clone, Copy)]
pub(in crate::store) struct Sql {
    pub(in crate::store) up: &'static str,
    pub(in crate::store) down: &'static str,
}

impl Step {
    pub(in crate::store) const fn sql(&self, postgres: bool) -> Sql {
        if postgres { self.postgres } else { self.sqlite }
    }

    /// SHA-256 (hex) of the way up.
    pub(in crate::store) fn checksum(&self, postgres: bool) -> String {
        hex::encode(digest(&SHA256, self.sql(postgres).up.as_bytes()))
    }
}

macro_rules! step {
    ($version:literal, $name:literal, $file:literal) => {
        Step {
            version: $version,
            name: $name,
            sqlite: Sql {
                up: include_str!(concat!("../../../migrations/sqlite/", $file, ".up.sql")),
                down: include_str!(concat!("../../../migrations/sqlite/", $file, ".down.sql")),
            },
            postgres: Sql {
                up: include_str!(concat!("../../../migrations/postgres/", $file, ".up.sql")),
                down: include_str!(concat!("../../../migrations/postgres/", $file, ".down.sql")),
            },
        }
    };
}

/// In the order they are taken.
pub(in crate::store) const STEPS: &[Step] = &[
    step!(1, "tenants", "0001_tenants"),
    step!(2, "api_keys", "0002_api_keys"),
    step!(3, "audit", "0003_audit"),
    step!(4, "approvals", "0004_approvals"),
    step!(5, "effects", "0005_effects"),
    step!(6, "tools", "0006_tools"),
    step!(7, "sessions", "0007_sessions"),
    step!(8, "people", "0008_people"),
    step!(10, "workflows", "0010_workflows"),
    step!(20, "servers", "0020_servers"),
    step!(30, "session_watches", "0030_session_watches"),
    step!(31, "deferred_calls", "0031_deferred_calls"),
    step!(32, "artefacts", "0032_artefacts"),
    step!(33, "server_tokens", "0033_server_tokens"),
    step!(40, "workflow_digests", "0040_workflow_digests"),
    step!(50, "effect_names", "0050_effect_names"),
    step!(51, "approval_forms", "0051_approval_forms"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    fn files(database: &str) -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("migrations")
            .join(database);
        let entries = std::fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn every_file_is_a_step_in_both_databases() {
        let expected: BTreeSet<String> = STEPS
            .iter()
            .flat_map(|step| {
                ["up", "down"].map(|way| format!("{:04}_{}.{way}.sql", step.version, step.name))
            })
            .collect();
        assert_eq!(files("sqlite"), expected);
        assert_eq!(files("postgres"), expected);
        assert!(STEPS.is_sorted_by(|earlier, later| earlier.version < later.version));
    }
}
