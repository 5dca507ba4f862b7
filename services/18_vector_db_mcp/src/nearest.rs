//! The vectors of a collection in memory, and those nearest to one.
//!
//! Every vector is looked at: at the sizes a collection may have that is quick, and nothing is missed.

use crate::filter::Filter;
use serde_json::{Map, Value};
use std::cmp::Ordering;

/// The vectors of one collection.
#[derive(Debug, Default)]
pub(crate) struct Vectors {
    /// State of the collection they were read from.
    pub(crate) generation: i64,
    dimension: usize,
    ids: Vec<String>,
    metadata: Vec<Map<String, Value>>,
    flat: Vec<f32>,
}

/// A vector that is near.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Near {
    /// Id of its document.
    pub(crate) id: String,
    /// What is noted of its document.
    pub(crate) metadata: Map<String, Value>,
    /// 0 in the same direction, 2 in the opposite one.
    pub(crate) distance: f32,
}

impl Vectors {
    /// None yet, of this many dimensions.
    pub(crate) fn new(generation: i64, dimension: usize) -> Self {
        Self {
            generation,
            dimension,
            ..Self::default()
        }
    }

    /// Adds one of length one; another dimension is left out.
    pub(crate) fn push(&mut self, id: String, metadata: Map<String, Value>, vector: &[f32]) {
        if vector.len() == self.dimension && self.dimension > 0 {
            self.ids.push(id);
            self.metadata.push(metadata);
            self.flat.extend_from_slice(vector);
        }
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The `n` nearest that fit, nearest first; the same distance by id.
    pub(crate) fn nearest(&self, to: &[f32], n: usize, filter: &Filter) -> Vec<Near> {
        if to.len() != self.dimension || self.dimension == 0 || n == 0 {
            return Vec::new();
        }
        let rows = self.flat.chunks_exact(self.dimension);
        let rows = rows.zip(&self.metadata).zip(&self.ids);
        let mut near: Vec<(f32, &String, &Map<String, Value>)> = rows
            .filter(|((_, metadata), _)| filter.fits(metadata))
            .map(|((row, metadata), id)| (1.0 - dot(row, to), id, metadata))
            .collect();
        let order = |a: &(f32, &String, &Map<String, Value>),
                     b: &(f32, &String, &Map<String, Value>)| {
            a.0.partial_cmp(&b.0)
                .unwrap_or(Ordering::Equal)
                .then_with(|| a.1.cmp(b.1))
        };
        if near.len() > n {
            near.select_nth_unstable_by(n - 1, order);
            near.truncate(n);
        }
        near.sort_unstable_by(order);
        let owned = |(distance, id, metadata): (f32, &String, &Map<String, Value>)| Near {
            id: id.clone(),
            metadata: metadata.clone(),
            distance: distance.max(0.0),
        };
        near.into_iter().map(owned).collect()
    }
}

/// In eight lanes, so that the compiler can do them at once.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut lanes = [0.0_f32; 8];
    for (a, b) in a.iter().zip(b) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    lanes.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repeatable stream of numbers between -1 and 1.
    fn numbers() -> impl FnMut() -> f32 {
        let mut state = 0x2545_F491_4F6C_DD1D_u64;
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let part = u16::try_from(state >> 48).unwrap();
            f32::from(part) / 32_768.0 - 1.0
        }
    }

    fn unit(next: &mut impl FnMut() -> f32) -> Vec<f32> {
        let vector: Vec<f32> = (0..64).map(|_| next()).collect();
        let length = vector.iter().map(|it| it * it).sum::<f32>().sqrt();
        vector.into_iter().map(|it| it / length).collect()
    }

    /// The requirement is a recall of 0.95 at ten among 50,000; nothing at all is missed.
    #[test]
    fn the_ten_nearest_of_fifty_thousand_are_those_a_plain_count_finds() {
        let mut next = numbers();
        let mut vectors = Vectors::new(1, 64);
        let mut plain = Vec::new();
        for n in 0..50_000 {
            let vector = unit(&mut next);
            vectors.push(n.to_string(), Map::new(), &vector);
            plain.push(vector);
        }
        assert_eq!(vectors.len(), 50_000);
        for _ in 0..5 {
            let to = unit(&mut next);
            let cosine = |row: &Vec<f32>| -> f64 {
                row.iter()
                    .zip(&to)
                    .map(|(a, b)| f64::from(*a) * f64::from(*b))
                    .sum()
            };
            let mut wanted: Vec<(f64, usize)> = plain
                .iter()
                .enumerate()
                .map(|(n, row)| (cosine(row), n))
                .collect();
            wanted.sort_by(|a, b| b.0.partial_cmp(&a.0).unwrap());
            let wanted: Vec<String> = wanted.iter().take(10).map(|(_, n)| n.to_string()).collect();
            let near = vectors.nearest(&to, 10, &Filter::All(Vec::new()));
            let hits = near.iter().filter(|it| wanted.contains(&it.id)).count();
            assert_eq!(hits, 10, "{wanted:?} {near:?}");
        }
    }

    #[test]
    fn other_dimensions_and_nothing_at_all_are_no_trouble() {
        let mut vectors = Vectors::new(1, 2);
        vectors.push("a".into(), Map::new(), &[1.0, 0.0]);
        vectors.push("odd".into(), Map::new(), &[1.0]);
        let all = Filter::All(Vec::new());
        assert_eq!(vectors.nearest(&[0.0, 1.0], 5, &all).len(), 1);
        assert!(vectors.nearest(&[1.0], 5, &all).is_empty());
        assert!(Vectors::default().nearest(&[], 5, &all).is_empty());
    }
}
