//! What a principal may call: a [`Permit`], an [`Ask`] for people, or a [`Denial`].
//!
//! Pure: no I/O and no `async`. The default is no.

mod decision;
mod limit;

#[cfg(test)]
pub(crate) use decision::unproven;
pub use decision::{Ask, Decision, Denial, Permit, Reach, Request};
pub use limit::{Rates, RuleLimit};
