//! How many connections there are, in all and per address.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Hands out [`Place`]s. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Admission {
    total: usize,
    per_address: usize,
    taken: Arc<Mutex<Taken>>,
}

/// An address is in the map only while it has a connection, so the map is bounded by `total`.
#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// The right to one connection; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    address: IpAddr,
    taken: Arc<Mutex<Taken>>,
}

impl Admission {
    pub(super) fn new(total: usize, per_address: usize) -> Self {
        Self {
            total,
            per_address,
            taken: Arc::default(),
        }
    }

    /// `None` when the listener or this address has as many connections as it may.
    pub(super) fn admit(&self, address: IpAddr) -> Option<Place> {
        let mut taken = self.taken.lock();
        let of_address = taken.by_address.get(&address).copied().unwrap_or_default();
        if taken.total >= self.total || of_address >= self.per_address {
            return None;
        }
        taken.total += 1;
        taken.by_address.insert(address, of_address + 1);
        drop(taken);
        Some(Place {
            address,
            taken: Arc::clone(&self.taken),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        taken.total -= 1;
        if let Some(count) = taken.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn places_are_bounded_in_all_and_per_address_and_come_back() {
        let admission = Admission::new(3, 2);
        let at = |last| admission.admit(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)));
        let first = at(1).unwrap();
        let second = at(1).unwrap();
        assert!(at(1).is_none(), "two is the most for one address");
        let third = at(2).unwrap();
        assert!(at(3).is_none(), "three is the most in all");
        drop(first);
        let fourth = at(1).unwrap();
        drop((second, third, fourth));
        assert!(admission.taken.lock().by_address.is_empty());
        assert_eq!(admission.taken.lock().total, 0);
    }
}
