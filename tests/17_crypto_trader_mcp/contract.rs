//! The spoke held against its table of the catalogue. Whom it asks is an address nobody listens at.

use spoke_17_crypto_trader_mcp::SERVICE;
use tests::contract::Contract;
use tests::contract::place::Place;

const CONTRACT: Contract = Contract {
    service: &SERVICE,
    furnish,
};

fn furnish(_: &Place) -> Vec<(&'static str, String)> {
    let nobody = |name| (name, "http://127.0.0.1:9".to_owned());
    let mut settings: Vec<_> = [
        "EXCHANGE_URL_BINANCE",
        "EXCHANGE_URL_KRAKEN",
        "EXCHANGE_URL_COINBASE",
        "COINGECKO_URL",
        "FNG_URL",
        "LLAMA_URL",
    ]
    .map(nobody)
    .into();
    settings.push(("WAYGATE_OUTBOUND_ALLOW", "127.0.0.1".to_owned()));
    settings
}

tests::contract_tests!(CONTRACT);
