//! The spoke held against its table of the catalogue.

use spoke_11_documentation_mcp::SERVICE;
use tests::contract::Contract;
use tests::contract::place::Place;

const CONTRACT: Contract = Contract {
    service: &SERVICE,
    furnish,
};

/// Two documents that were put there by hand.
fn furnish(place: &Place) -> Vec<(&'static str, String)> {
    place.write(
        "files/docs/guides/start.md",
        b"# Start\nTurn the pump on.\n",
    );
    place.write(
        "files/docs/api/calls.md",
        b"---\ntitle: Calls\ntags: [http]\nversion: 2\n---\nAsk politely.\n",
    );
    let root = place.path("files/docs").display().to_string();
    vec![("DOCS_ROOT", root)]
}

tests::contract_tests!(CONTRACT);
