//! The spoke held against its table of the catalogue.

use crate::stub::{PASSWORD, Stub, USER, checkout, program};
use spoke_15_freqtrade_mcp::SERVICE;
use tests::contract::Contract;

const CONTRACT: Contract = Contract {
    service: &SERVICE,
    furnish: |place| {
        checkout(&place.path("checkout"));
        program(&place.path("data/programs"));
        vec![
            (
                "FREQTRADE_SOURCE_PATH",
                place.path("checkout").display().to_string(),
            ),
            (
                "FREQTRADE_PATH",
                place.path("data/programs/freqtrade").display().to_string(),
            ),
            ("FREQTRADE_API_URL", Stub::forever()),
            ("FREQTRADE_USERNAME", USER.to_owned()),
            ("FREQTRADE_PASSWORD", PASSWORD.to_owned()),
            ("WAYGATE_OUTBOUND_ALLOW", "127.0.0.1".to_owned()),
        ]
    },
};

tests::contract_tests!(CONTRACT);
