//! Words of commands: what callers give becomes a word only when it can be nothing else.

use shared::tool::ToolError;

/// What is searched, behind the option for it; the option takes all words that follow.
pub(crate) fn spaces(given: &[String]) -> Result<Vec<String>, ToolError> {
    let known = [
        "all",
        "buy",
        "sell",
        "roi",
        "stoploss",
        "trailing",
        "protection",
        "trades",
        "default",
    ];
    if given.iter().any(|space| !known.contains(&space.as_str())) {
        return Err(ToolError::invalid(
            "spaces",
            format!("are of {}", known.join(", ")),
        ));
    }
    let option = (!given.is_empty()).then(|| "--spaces".to_owned());
    Ok(option.into_iter().chain(given.iter().cloned()).collect())
}

/// An option with its value, if there is one.
pub(crate) fn option(words: &mut Vec<String>, option: &str, value: Option<String>) {
    words.extend(
        value
            .into_iter()
            .flat_map(|value| [option.to_owned(), value]),
    );
}

/// The name of a class.
pub(crate) fn name(field: &str, text: &str) -> Result<String, ToolError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = text
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    match begins && text.len() <= 100 && text.chars().all(fits) {
        true => Ok(text.to_owned()),
        false => Err(ToolError::invalid(field, "is the name of a class")),
    }
}

/// From when to when; either side may be left out.
pub(crate) fn timerange(text: Option<&str>) -> Result<Option<String>, ToolError> {
    let Some(text) = text else { return Ok(None) };
    let side = |side: &str| {
        let digits = side.chars().all(|c| c.is_ascii_digit());
        digits && matches!(side.len(), 0 | 8 | 10 | 13)
    };
    match text.split_once('-') {
        Some((from, to)) if side(from) && side(to) && text.len() > 1 => Ok(Some(text.to_owned())),
        _ => Err(ToolError::invalid(
            "timerange",
            "is such as 20240101-20240630",
        )),
    }
}

/// The length of a candle.
pub(crate) fn timeframe(text: &str) -> Result<String, ToolError> {
    let (number, unit) = text
        .split_at_checked(text.len().saturating_sub(1))
        .unwrap_or_default();
    let fits = !number.is_empty()
        && number.len() <= 3
        && number.chars().all(|c| c.is_ascii_digit())
        && ["s", "m", "h", "d", "w", "M", "y"].contains(&unit);
    match fits {
        true => Ok(text.to_owned()),
        false => Err(ToolError::invalid("timeframe", "is such as 5m, 1h, 1d")),
    }
}

/// The name of an exchange.
pub(crate) fn exchange(text: Option<&str>) -> Result<Option<String>, ToolError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match text {
        None => Ok(None),
        Some(text) if !text.is_empty() && text.len() <= 40 && text.chars().all(fits) => {
            Ok(Some(text.to_owned()))
        }
        Some(_) => Err(ToolError::invalid("exchange", "is the name of an exchange")),
    }
}

/// Further options: none that names a file, or another configuration.
pub(crate) fn extra(given: &[String]) -> Result<Vec<String>, ToolError> {
    let flags = [
        "--eps",
        "--enable-position-stacking",
        "--disable-max-market-positions",
        "--enable-protections",
        "--print-all",
        "--no-color",
        "--disable-param-export",
        "--ignore-missing-spaces",
        "--analyze-per-epoch",
    ];
    let valued = [
        "--timeframe",
        "--timeframe-detail",
        "--max-open-trades",
        "--stake-amount",
        "--fee",
        "--early-stop",
        "--dry-run-wallet",
        "--breakdown",
        "--cache",
    ];
    let mut words = Vec::new();
    let mut rest = given.iter();
    let value = |word: &&String| {
        let fits = |c: char| c.is_ascii_alphanumeric() || ".,_".contains(c);
        !word.is_empty() && word.len() <= 40 && word.chars().all(fits)
    };
    while let Some(option) = rest.next() {
        if flags.contains(&option.as_str()) {
            words.push(option.clone());
            continue;
        }
        match (valued.contains(&option.as_str()), rest.next().filter(value)) {
            (true, Some(value)) => words.extend([option.clone(), value.clone()]),
            _ => {
                let known: Vec<&str> = flags.into_iter().chain(valued).collect();
                let rule = format!("takes only: {}", known.join(" "));
                return Err(ToolError::invalid("extra_args", rule));
            }
        }
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn further_options_name_no_files() {
        let of = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            extra(&words)
        };
        assert_eq!(of(&["--timeframe", "1h", "--eps"]).unwrap().len(), 3);
        for bad in [
            &["--config", "x.json"][..],
            &["--timeframe"],
            &["--timeframe", "--eps"],
            &["--fee", "../x"],
            &["--strategy-path=/x"],
            &["x"],
        ] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ranges_frames_and_names_are_checked() {
        for good in ["20240101-", "-20240101", "20240101-20240201", "1700000000-"] {
            assert!(timerange(Some(good)).unwrap().is_some(), "{good}");
        }
        for bad in ["", "-", "2024", "20240101", "--x", "20240101-x"] {
            assert!(timerange(Some(bad)).is_err(), "{bad}");
        }
        assert!(timeframe("15m").is_ok() && timeframe("m").is_err() && timeframe("5é").is_err());
        assert!(name("strategy", "Sample_1").is_ok());
        assert!(
            ["-x", "", "a/b", "1a"]
                .iter()
                .all(|bad| name("strategy", bad).is_err())
        );
    }
}
