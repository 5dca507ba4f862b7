//! The spoke held against its table of the catalogue.

use spoke_01_linux_cli_mcp::SERVICE;
use tests::contract::Contract;
use tests::contract::place::Place;

const CONTRACT: Contract = Contract {
    service: &SERVICE,
    furnish,
};

/// A note, a folder of sites, a log.
fn furnish(place: &Place) -> Vec<(&'static str, String)> {
    place.write("files/note.txt", b"as it was");
    place.write("log/access.log", b"GET /\n");
    for folder in ["sites-available", "sites-enabled"] {
        std::fs::create_dir(place.path(folder)).unwrap();
    }
    let path = |name: &str| place.path(name).display().to_string();
    vec![
        ("ALLOWED_READ_PATHS", format!("/etc:{}", path("files"))),
        ("ALLOWED_WRITE_PATHS", path("files")),
        ("NGINX_SITES_DIR", path("sites-available")),
        ("NGINX_LOG_DIR", path("log")),
        ("SSH_HOSTS", "host.invalid".to_owned()),
    ]
}

tests::contract_tests!(CONTRACT);
