//! The spoke held against its table of the catalogue.

use spoke_13_secrets_mcp::SERVICE;
use tests::contract::Contract;
use tests::contract::place::Place;

const CONTRACT: Contract = Contract {
    service: &SERVICE,
    furnish,
};

/// Rules that reveal one secret of the environment to whoever calls without a hub.
fn furnish(place: &Place) -> Vec<(&'static str, String)> {
    let rules = "rules: [{principal: spoke-key, name: env-DB_PASSWORD, mode: reveal}]";
    place.write("files/rules.yaml", rules.as_bytes());
    let rules = place.path("files/rules.yaml").display().to_string();
    vec![
        ("SECRETS_RULES_PATH", rules),
        ("SECRETS_ENV_ALLOW", "DB_PASSWORD".into()),
        ("DB_PASSWORD", "correct horse".into()),
    ]
}

tests::contract_tests!(CONTRACT);
