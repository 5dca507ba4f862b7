//! The spoke held against its table of the catalogue.

use spoke_08_k8s_mcp::SERVICE;
use tests::contract::Contract;

const CONTRACT: Contract = Contract::bare(&SERVICE);

tests::contract_tests!(CONTRACT);
