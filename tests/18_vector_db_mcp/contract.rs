//! The spoke held against its table of the catalogue.

use spoke_18_vector_db_mcp::SERVICE;
use tests::contract::Contract;

const CONTRACT: Contract = Contract {
    service: &SERVICE,
    furnish: |_| vec![("EMBEDDING_BACKEND", "hash".to_owned())],
};

tests::contract_tests!(CONTRACT);
