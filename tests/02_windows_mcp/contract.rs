//! The spoke held against its table of the catalogue. Its host cannot be reached.

use spoke_02_windows_mcp::SERVICE;
use tests::contract::Contract;
use tests::contract::place::Place;

const CONTRACT: Contract = Contract {
    service: &SERVICE,
    furnish,
};

fn furnish(_: &Place) -> Vec<(&'static str, String)> {
    vec![
        ("WINRM_HOSTS", "host.invalid".to_owned()),
        ("WINRM_USER", "CORP\\ops".to_owned()),
        ("ALLOWED_READ_PATHS", "C:\\Logs".to_owned()),
        ("ALLOWED_WRITE_PATHS", "C:\\Logs".to_owned()),
    ]
}

tests::contract_tests!(CONTRACT);
