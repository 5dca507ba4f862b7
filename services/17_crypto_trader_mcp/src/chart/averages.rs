//! Moving averages. A series holds `None` until there are values enough.

/// A value per candle; `None` where it is not known yet.
pub(crate) type Series = Vec<Option<f64>>;

/// The last value.
pub(crate) fn last(series: &[Option<f64>]) -> Option<f64> {
    series.last().copied().flatten()
}

/// The value before the last.
pub(crate) fn before(series: &[Option<f64>]) -> Option<f64> {
    let index = series.len().checked_sub(2)?;
    series.get(index).copied().flatten()
}

/// Mean; 0 of nothing.
pub(crate) fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    values.iter().sum::<f64>() / values.len() as f64
}

/// Mean of the last `length` values at each place.
pub(crate) fn simple(values: &[f64], length: usize) -> Series {
    let mut series = vec![None; values.len().min(length.saturating_sub(1))];
    series.extend(values.windows(length).map(|window| Some(mean(window))));
    series
}

/// Exponential average, weight 2/(length+1), begun with the mean of the first `length` values.
pub(crate) fn exponential(values: &[f64], length: usize) -> Series {
    smoothed(values, length, 2.0 / (length as f64 + 1.0))
}

/// Wilder's average, weight 1/length, begun with the mean of the first `length` values.
pub(crate) fn wilder(values: &[f64], length: usize) -> Series {
    smoothed(values, length, 1.0 / length as f64)
}

fn smoothed(values: &[f64], length: usize, weight: f64) -> Series {
    let Some((first, rest)) = values.split_at_checked(length) else {
        return vec![None; values.len()];
    };
    let mut average = mean(first);
    let mut series = vec![None; length.saturating_sub(1)];
    series.push(Some(average));
    for value in rest {
        average += weight * (value - average);
        series.push(Some(average));
    }
    series
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Acceptance: 66
    #[test]
    fn averages_are_those_of_a_hand() {
        let values = [2.0, 4.0, 6.0, 8.0, 12.0];
        let three = [None, None, Some(4.0), Some(6.0), Some(26.0 / 3.0)];
        assert_eq!(simple(&values, 3), three);
        // 4; 4 + (8-4)/2 = 6; 6 + (12-6)/2 = 9.
        let exp = [None, None, Some(4.0), Some(6.0), Some(9.0)];
        assert_eq!(exponential(&values, 3), exp);
        // 3; 3 + (6-3)/2 = 4.5; 6.25; 9.125.
        let wild = [None, Some(3.0), Some(4.5), Some(6.25), Some(9.125)];
        assert_eq!(wilder(&values, 2), wild);
        assert_eq!(simple(&values, 9), [None; 5]);
        assert_eq!(exponential(&values, 9), [None; 5]);
    }
}
