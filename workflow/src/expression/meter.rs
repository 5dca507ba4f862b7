//! Counts the steps of an evaluation and the stack it takes.
//!
//! The interpreter has no hook to stop it, but asks for its program at every step. That question is
//! counted here, and the answer to one too many is to unwind to where the evaluation began.

use super::{ExpressionError, Limits};
use jaq_core::data::HasLut;
use jaq_core::{DataT, Lut};
use jaq_json::Val;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Kind of data programs run on: JSON, metered.
pub(super) struct Metered;

impl DataT for Metered {
    type V<'a> = Val;
    type Data<'a> = Meter<'a>;
}

/// A program and what is left to run it with.
#[derive(Clone)]
pub(super) struct Meter<'a> {
    lut: &'a Lut<Metered>,
    left: &'a Cell<u64>,
    bottom: usize,
    stack: usize,
}

/// What an unwinding evaluation carries.
struct Exhausted(&'static str);

impl<'a> HasLut<'a, Metered> for Meter<'a> {
    fn lut(&self) -> &'a Lut<Metered> {
        self.charge(1);
        self.lut
    }
}

impl Meter<'_> {
    /// Takes steps; unwinds when there are none left or the stack is too deep.
    pub(super) fn charge(&self, steps: u64) {
        let Some(left) = self.left.get().checked_sub(steps) else {
            resume_unwind(Box::new(Exhausted("the steps an expression may take")));
        };
        self.left.set(left);
        if self.bottom.abs_diff(here()) > self.stack {
            resume_unwind(Box::new(Exhausted("the depth an expression may have")));
        }
    }
}

/// Runs something with a meter, and catches it when it runs dry.
pub(super) fn metered<T>(
    lut: &Lut<Metered>,
    limits: &Limits,
    run: impl FnOnce(Meter<'_>) -> Result<T, ExpressionError>,
) -> Result<T, ExpressionError> {
    let left = Cell::new(limits.steps);
    let meter = Meter {
        lut,
        left: &left,
        bottom: here(),
        stack: limits.stack,
    };
    match catch_unwind(AssertUnwindSafe(|| run(meter))) {
        Ok(result) => result,
        Err(cause) => match cause.downcast::<Exhausted>() {
            Ok(exhausted) => Err(ExpressionError::Exhausted(exhausted.0)),
            Err(cause) => resume_unwind(cause),
        },
    }
}

/// About where the stack ends now.
#[inline(never)]
fn here() -> usize {
    let mark = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&mark)).addr()
}
