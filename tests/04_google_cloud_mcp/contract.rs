//! The spoke held against its table of the catalogue.

use spoke_04_google_cloud_mcp::SERVICE;
use tests::contract::Contract;

const CONTRACT: Contract = Contract::bare(&SERVICE);

tests::contract_tests!(CONTRACT);
