//! The spoke held against its table of the catalogue. Its Mac has a known key and cannot be reached.

use spoke_10_macos_mcp::SERVICE;
use tests::contract::Contract;
use tests::contract::place::Place;

const CONTRACT: Contract = Contract {
    service: &SERVICE,
    furnish,
};
/// Some key in the file of host keys.
const KNOWN: &str = "host.invalid ssh-ed25519 \
     AAAAC3NzaC1lZDI1NTE5AAAAIGPKhRWVlmFgVZkFTxPXGQRDLkDnwx3y3RXA7cmbeqWV\n";

fn furnish(place: &Place) -> Vec<(&'static str, String)> {
    place.write("known_hosts", KNOWN.as_bytes());
    vec![
        ("SSH_HOSTS", "host.invalid".to_owned()),
        ("SSH_USER", "ops".to_owned()),
        (
            "SSH_KNOWN_HOSTS_PATH",
            place.path("known_hosts").display().to_string(),
        ),
    ]
}

tests::contract_tests!(CONTRACT);
