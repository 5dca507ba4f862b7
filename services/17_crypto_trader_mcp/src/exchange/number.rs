//! Numbers as exchanges write them: JSON numbers, or texts.

use serde::Deserialize;

/// A finite number.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "Written")]
pub(crate) struct Decimal(pub(crate) f64);

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Number(f64),
    Text(String),
}

impl TryFrom<Written> for Decimal {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let number = match written {
            Written::Number(number) => Some(number),
            Written::Text(text) => text.trim().parse().ok(),
        };
        let finite = number.filter(|it: &f64| it.is_finite());
        finite.map(Self).ok_or("expected a number")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_finite_numbers_are_taken() {
        let read = |text: &str| serde_json::from_str::<Decimal>(text).ok().map(|it| it.0);
        assert_eq!(read("\"1.50\""), Some(1.5));
        assert_eq!(read("2"), Some(2.0));
        for odd in ["\"NaN\"", "\"inf\"", "\"\"", "null"] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }
}
