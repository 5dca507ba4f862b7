//! The spoke held against its table of the catalogue.

use crate::desk;
use spoke_14_aider_mcp::SERVICE;
use tests::contract::Contract;

const CONTRACT: Contract = Contract {
    service: &SERVICE,
    furnish: |place| {
        desk::repository(&place.path("repo"));
        desk::program(&place.path("programs"));
        vec![
            ("REPO_PATH", place.path("repo").display().to_string()),
            (
                "AIDER_PATH",
                place.path("programs/aider").display().to_string(),
            ),
            ("OPENAI_API_KEY", "an-openai-key-0123456789".to_owned()),
        ]
    },
};

tests::contract_tests!(CONTRACT);
