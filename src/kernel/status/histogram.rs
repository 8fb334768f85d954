//! A histogram as plain data.

use serde::{Deserialize, Serialize};

/// Counts of observations by size, with fixed upper bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// Upper bound, inclusive, and how many observations fell between the bound before and this one.
    buckets: Vec<(f64, u64)>,
    /// Observations above the last bound.
    above: u64,
    sum: f64,
}

impl Histogram {
    /// An empty one with these upper bounds, which have to ascend.
    pub fn new(bounds: &[f64]) -> Self {
        debug_assert!(bounds.is_sorted(), "bounds of a histogram ascend");
        Self { buckets: bounds.iter().map(|bound| (*bound, 0)).collect(), above: 0, sum: 0.0 }
    }

    /// Counts one observation. A negative one (the clock stepped back) counts as zero, one that is not a number not at all.
    pub fn observe(&mut self, value: f64) {
        if value.is_nan() {
            return;
        }
        let value = value.max(0.0);
        self.sum += value;
        match self.buckets.iter_mut().find(|(bound, _)| value <= *bound) {
            Some((_, count)) => *count += 1,
            None => self.above += 1,
        }
    }

    /// Upper bounds with the number of observations up to the bound and above the one before.
    pub fn buckets(&self) -> &[(f64, u64)] {
        &self.buckets
    }

    /// Observations above the last bound.
    pub fn above(&self) -> u64 {
        self.above
    }

    /// All observations.
    pub fn count(&self) -> u64 {
        self.above + self.buckets.iter().map(|(_, count)| count).sum::<u64>()
    }

    /// Sum of all observed values.
    pub fn sum(&self) -> f64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_own_bucket() {
        let mut histogram = Histogram::new(&[1.0, 5.0]);
        for value in [0.0, 1.0, 1.5, 5.0, 5.1, -3.0, f64::NAN] {
            histogram.observe(value);
        }
        assert_eq!(histogram.buckets(), [(1.0, 3), (5.0, 2)]);
        assert_eq!(histogram.above(), 1);
        assert_eq!(histogram.count(), 6);
        assert!((histogram.sum() - 12.6).abs() < 1e-9);
    }
}
