//! From JSON to the interpreter's values and back.
//!
//! Whole floats within ±2^53 come back as integers, as jq prints them.

use super::ExpressionError;
use jaq_json::{Map, Num, Rc, Val};
use serde_json::{Number, Value};

/// Deepest value that is given back; deeper than any document that can be read.
const DEPTH: usize = 100;
/// Up to here every whole number is a float, and the other way round.
const EXACT: f64 = 9_007_199_254_740_992.0;

pub(super) fn inward(value: &Value) -> Val {
    match value {
        Value::Null => Val::Null,
        Value::Bool(it) => Val::Bool(*it),
        Value::Number(it) => number_in(it),
        Value::String(it) => Val::utf8_str(it.as_bytes().to_vec()),
        Value::Array(it) => Val::Arr(Rc::new(it.iter().map(inward).collect())),
        Value::Object(it) => {
            let entry = |(key, value): (&String, &Value)| {
                (Val::utf8_str(key.as_bytes().to_vec()), inward(value))
            };
            Val::Obj(Rc::new(it.iter().map(entry).collect::<Map<Val, Val>>()))
        }
    }
}

fn number_in(number: &Number) -> Val {
    if let Some(it) = number.as_i64() {
        return Val::Num(Num::from_integral(it));
    }
    if let Some(it) = number.as_u64() {
        return Val::Num(Num::from_integral(it));
    }
    Val::Num(Num::Float(number.as_f64().unwrap_or(f64::NAN)))
}

pub(super) fn outward(value: &Val, budget: usize) -> Result<Value, ExpressionError> {
    let mut left = budget;
    Outward { left: &mut left }.take(value, 0)
}

struct Outward<'a> {
    left: &'a mut usize,
}

impl Outward<'_> {
    fn take(&mut self, value: &Val, depth: usize) -> Result<Value, ExpressionError> {
        if depth > DEPTH {
            return Err(unusable("the value is nested too deep"));
        }
        self.spend(1)?;
        Ok(match value {
            Val::Null => Value::Null,
            Val::Bool(it) => Value::Bool(*it),
            Val::Num(it) => self.number(it)?,
            Val::BStr(it) | Val::TStr(it) => Value::String(self.text(it)?),
            Val::Arr(items) => {
                let items = items.iter().map(|item| self.take(item, depth + 1));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Val::Obj(entries) => {
                let entries = entries.iter();
                let entries = entries.map(|(key, value)| self.entry(key, value, depth));
                Value::Object(entries.collect::<Result<_, _>>()?)
            }
        })
    }

    fn entry(
        &mut self,
        key: &Val,
        value: &Val,
        depth: usize,
    ) -> Result<(String, Value), ExpressionError> {
        let Val::TStr(key) = key else {
            return Err(unusable("a key of an object is not a text"));
        };
        Ok((self.text(key)?, self.take(value, depth + 1)?))
    }

    fn number(&mut self, number: &Num) -> Result<Value, ExpressionError> {
        self.spend(8)?;
        Ok(match number {
            Num::Int(it) => Value::from(*it),
            Num::Float(it) => float(*it),
            other => {
                let text = other.to_string();
                self.spend(text.len())?;
                text.parse::<Number>()
                    .map_or_else(|_| float(text.parse().unwrap_or(f64::NAN)), Value::Number)
            }
        })
    }

    fn text(&mut self, bytes: &[u8]) -> Result<String, ExpressionError> {
        self.spend(bytes.len().saturating_add(2))?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    fn spend(&mut self, bytes: usize) -> Result<(), ExpressionError> {
        *self.left = self
            .left
            .checked_sub(bytes)
            .ok_or_else(|| unusable("the value is too large"))?;
        Ok(())
    }
}

fn float(it: f64) -> Value {
    if it.fract() == 0.0 && it.abs() < EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        return Value::from(it as i64);
    }
    Number::from_f64(it).map_or(Value::Null, Value::Number)
}

fn unusable(message: &str) -> ExpressionError {
    ExpressionError::Unusable(message.to_owned())
}
