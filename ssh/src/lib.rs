//! Commands on other hosts over SSH: a closed list of hosts, each with a host key that is known
//! beforehand.
//!
//! A host that is not in `SSH_HOSTS`, has no key in the file of host keys, or shows another one is
//! refused; nothing is ever learnt from a connection. A host with another operating system than the
//! tools are for is refused, too. Which commands may run is not decided here.
//!
//! Reading order: the list of hosts and what is done with it (`hosts`), one connection (`link`).
//! Only what spokes that speak SSH share is here; the others do not carry it.

mod hosts;
mod link;
mod order;

pub use hosts::{Hosts, Pinned, Settings, Target};
pub use link::{Link, LinkError};
pub use order::{Order, System};
