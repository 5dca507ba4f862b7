//! A strategy run over candles of the past: all in or all out at the close, fees on both sides.

use super::averages::{Series, last, simple};
use super::oscillators::{macd, rsi};
use super::signals::{Signal, crossed};
use super::spread::deviation;
use crate::exchange::Candle;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rule {
    /// Buys when the mean of 10 closes rises through that of 30, sells when it falls through.
    SmaCross,
    /// Buys below an RSI of 30, sells above 70.
    RsiReversion,
    /// Buys and sells when two of crossing means, MACD and RSI over 50 say so.
    Multi,
}

/// Where a run begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    /// Money at the begin.
    pub(crate) balance: f64,
    /// Fee of each order, as a share of it.
    pub(crate) fee: f64,
    /// Candles in a year.
    pub(crate) per_year: f64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Outcome {
    /// Positions that were closed; one that is open at the end is closed there.
    pub(crate) trades: usize,
    pub(crate) winners: usize,
    /// What the account is worth after each candle.
    pub(crate) equity: Vec<f64>,
    /// Largest fall from a height, as a share of it.
    pub(crate) drawdown: f64,
    /// Mean over deviation of the gains per candle, per year; 0 when nothing moved.
    pub(crate) sharpe: f64,
}

/// Runs a rule. A decision sees the candles up to its own and nothing after.
pub(crate) fn run(candles: &[Candle], rule: Rule, terms: Terms) -> Outcome {
    let signals = decisions(&super::closes(candles), rule);
    let mut account = Account::new(terms);
    let mut equity = Vec::with_capacity(candles.len());
    for (index, (candle, signal)) in candles.iter().zip(signals).enumerate() {
        match signal {
            Signal::Buy => account.buy(candle.close),
            Signal::Sell => account.sell(candle.close),
            Signal::Neutral => {}
        }
        if index + 1 == candles.len() {
            account.sell(candle.close);
        }
        equity.push(account.money + account.amount * candle.close);
    }
    Outcome {
        trades: account.trades,
        winners: account.winners,
        drawdown: drawdown(&equity),
        sharpe: sharpe(terms, &equity),
        equity,
    }
}

struct Account {
    money: f64,
    amount: f64,
    fee: f64,
    /// What the open position cost.
    cost: f64,
    trades: usize,
    winners: usize,
}

impl Account {
    const fn new(terms: Terms) -> Self {
        Self {
            money: terms.balance,
            amount: 0.0,
            fee: terms.fee,
            cost: 0.0,
            trades: 0,
            winners: 0,
        }
    }

    fn buy(&mut self, price: f64) {
        if self.amount == 0.0 && price > 0.0 {
            self.cost = self.money;
            self.amount = self.money * (1.0 - self.fee) / price;
            self.money = 0.0;
        }
    }

    fn sell(&mut self, price: f64) {
        if self.amount > 0.0 {
            self.money = self.amount * price * (1.0 - self.fee);
            self.amount = 0.0;
            self.trades += 1;
            self.winners += usize::from(self.money > self.cost);
        }
    }
}

/// One decision per candle.
fn decisions(closes: &[f64], rule: Rule) -> Vec<Signal> {
    let (short, long) = (simple(closes, 10), simple(closes, 30));
    let strength = rsi(closes, 14);
    let macd = macd(closes);
    let upto = |series: &Series, index: usize| -> Series {
        let begin = index.saturating_sub(1);
        series.get(begin..=index).unwrap_or_default().to_vec()
    };
    let decide = |index: usize| match rule {
        Rule::SmaCross => crossed(&upto(&short, index), &upto(&long, index)),
        Rule::RsiReversion => match last(&upto(&strength, index)) {
            Some(rsi) if rsi < 30.0 => Signal::Buy,
            Some(rsi) if rsi > 70.0 => Signal::Sell,
            _ => Signal::Neutral,
        },
        Rule::Multi => {
            let at = |series: &Series| last(&upto(series, index));
            vote([
                (at(&short), at(&long)),
                (at(&macd.line), at(&macd.signal)),
                (at(&strength), Some(50.0)),
            ])
        }
    };
    (0..closes.len()).map(decide).collect()
}

fn vote(pairs: [(Option<f64>, Option<f64>); 3]) -> Signal {
    let known = || pairs.iter().filter_map(|(a, b)| Some((*a)? - (*b)?));
    let buy = known().filter(|it| *it > 0.0).count();
    let sell = known().filter(|it| *it < 0.0).count();
    match (buy >= 2, sell >= 2) {
        (true, _) => Signal::Buy,
        (_, true) => Signal::Sell,
        _ => Signal::Neutral,
    }
}

fn drawdown(equity: &[f64]) -> f64 {
    let mut peak = f64::MIN;
    let mut worst: f64 = 0.0;
    for value in equity {
        peak = peak.max(*value);
        if peak > 0.0 {
            worst = worst.max(1.0 - value / peak);
        }
    }
    worst
}

fn sharpe(terms: Terms, equity: &[f64]) -> f64 {
    let before = std::iter::once(&terms.balance).chain(equity);
    let gains: Vec<f64> = before
        .zip(equity)
        .filter(|(old, _)| **old > 0.0)
        .map(|(old, new)| new / old - 1.0)
        .collect();
    match deviation(&gains) {
        Some(spread) if spread > 0.0 => {
            super::averages::mean(&gains) / spread * terms.per_year.sqrt()
        }
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candles(closes: &[f64]) -> Vec<Candle> {
        let candle = |close: &f64| Candle {
            time: 0,
            open: *close,
            high: *close,
            low: *close,
            close: *close,
            volume: 1.0,
        };
        closes.iter().map(candle).collect()
    }

    const TERMS: Terms = Terms {
        balance: 1000.0,
        fee: 0.0,
        per_year: 365.0,
    };

    #[test]
    fn a_crossing_is_bought_and_sold_at_its_close() {
        // Flat at 100, then 110 (means cross: buy at 110), flat at 110, then 55 (cross back: sell).
        let mut closes = vec![100.0; 30];
        closes.extend([110.0; 40]);
        closes.extend([55.0; 5]);
        let outcome = run(&candles(&closes), Rule::SmaCross, TERMS);
        assert_eq!((outcome.trades, outcome.winners), (1, 0));
        assert!((outcome.equity.last().unwrap() - 500.0).abs() < 1e-9);
        assert!((outcome.drawdown - 0.5).abs() < 1e-9);
        assert!(outcome.sharpe < 0.0);
    }

    #[test]
    fn fees_are_taken_on_both_sides_and_nothing_moves_without_signals() {
        let flat = run(&candles(&[100.0; 50]), Rule::Multi, TERMS);
        assert_eq!((flat.trades, flat.sharpe, flat.drawdown), (0, 0.0, 0.0));
        let mut closes = vec![100.0; 30];
        closes.extend([110.0; 5]);
        let terms = Terms { fee: 0.1, ..TERMS };
        let outcome = run(&candles(&closes), Rule::SmaCross, terms);
        assert_eq!(outcome.trades, 1);
        assert!((outcome.equity.last().unwrap() - 810.0).abs() < 1e-9);
    }

    #[test]
    fn decisions_do_not_see_the_future() {
        let closes: Vec<f64> = (0..120).map(|n| 100.0 + f64::from((n * 37) % 23)).collect();
        for rule in [Rule::SmaCross, Rule::RsiReversion, Rule::Multi] {
            let whole = decisions(&closes, rule);
            let part = decisions(&closes[..80], rule);
            assert_eq!(whole[..80], part[..], "{rule:?}");
        }
    }
}
