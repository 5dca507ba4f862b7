//! The spoke held against its table of the catalogue. Its engine is an address nobody listens at.

use spoke_06_web_search_mcp::SERVICE;
use tests::contract::Contract;
use tests::contract::place::Place;

pub(crate) const CONTRACT: Contract = Contract {
    service: &SERVICE,
    furnish,
};

fn furnish(_: &Place) -> Vec<(&'static str, String)> {
    vec![("DUCKDUCKGO_API_URL", "http://127.0.0.1:9/html/".into())]
}

tests::contract_tests!(CONTRACT);
