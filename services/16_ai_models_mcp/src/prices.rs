//! What models cost, from the operator's file: US dollars per million tokens.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};

/// Largest file, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;
const MILLION: f64 = 1_000_000.0;
/// Costs are told to a billionth of a dollar.
const BILLION: f64 = 1_000_000_000.0;

/// The prices; empty when there is no file.
#[derive(Debug, Default)]
pub(crate) struct Prices(BTreeMap<String, Price>);

/// US dollars per million tokens.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Price {
    input: f64,
    output: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    prices: BTreeMap<String, Price>,
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PricesError {
    /// It may not be read.
    #[error("the file named by AI_PRICES_PATH cannot be read")]
    Unreadable(#[source] std::io::Error),
    /// Not of the form.
    #[error("the file named by AI_PRICES_PATH cannot be understood: {0}")]
    Form(#[source] serde_yaml_ng::Error),
    /// A price that is none.
    #[error("the file named by AI_PRICES_PATH has a price for {0} that is none")]
    Price(String),
}

impl Prices {
    /// Reads the file. One that does not exist is an empty one: then costs are unknown.
    pub(crate) fn read(path: &str) -> Result<Self, PricesError> {
        let mut text = String::new();
        match File::open(path) {
            Err(error) if path.is_empty() || error.kind() == ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            opened => opened
                .and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
                .map_err(PricesError::Unreadable)?,
        };
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, PricesError> {
        let written: Written = serde_yaml_ng::from_str(text).map_err(PricesError::Form)?;
        let good = |dollars: f64| dollars.is_finite() && dollars >= 0.0;
        let mut prices = written.prices.iter();
        let bad = prices.find(|(_, price)| !good(price.input) || !good(price.output));
        match bad {
            Some((model, _)) => Err(PricesError::Price(model.clone())),
            None => Ok(Self(written.prices)),
        }
    }

    /// What so many tokens cost, in US dollars; `None` when the model has no price. A name in the
    /// file that ends in `*` is for every model that begins so; the longest that fits counts.
    pub(crate) fn cost(&self, model: &str, tokens: Tokens) -> Option<f64> {
        let price = self.0.get(model).or_else(|| {
            let families = self.0.iter().filter_map(|(name, price)| {
                let begin = name.strip_suffix('*')?;
                model.starts_with(begin).then_some((begin.len(), price))
            });
            families.max_by_key(|(length, _)| *length).map(|it| it.1)
        })?;
        let dollars = |tokens: u64, price: f64| exact(tokens) * price / MILLION;
        let sum = dollars(tokens.input, price.input) + dollars(tokens.output, price.output);
        Some((sum * BILLION).round() / BILLION)
    }
}

/// Tokens of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tokens {
    /// Of what was sent.
    pub(crate) input: u64,
    /// Of what came back, thinking included.
    pub(crate) output: u64,
}

/// Exact up to 2^32, which no call reaches.
fn exact(tokens: u64) -> f64 {
    f64::from(u32::try_from(tokens).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_costs_what_the_file_says_of_it_or_of_its_family() {
        let text = "prices:\n  a-1: {input: 1, output: 10}\n  a-*: {input: 2, output: 20}\n  \
                    '*': {input: 4, output: 0}\n";
        let prices = Prices::parse(text).unwrap();
        let tokens = Tokens {
            input: 1_000_000,
            output: 500_000,
        };
        for (model, dollars) in [("a-1", 6.0), ("a-2", 12.0), ("b", 4.0)] {
            assert_eq!(prices.cost(model, tokens), Some(dollars), "{model}");
        }
        assert_eq!(Prices::default().cost("a-1", tokens), None);
        assert!(Prices::parse("prices:\n  a: {input: -1, output: 0}\n").is_err());
        assert!(Prices::read("no/such/file").unwrap().0.is_empty());
    }

    #[test]
    fn the_shipped_file_can_be_read_and_has_the_default_models() {
        let text = include_str!("../../../config/ai_prices.yaml");
        let prices = Prices::parse(text).unwrap();
        let tokens = Tokens {
            input: 1,
            output: 1,
        };
        for model in [
            "gemini-flash-latest",
            "claude-haiku-4-5",
            "claude-haiku-4-5-20251001",
        ] {
            assert!(prices.cost(model, tokens).is_some(), "{model}");
        }
    }
}
