//! A sorted map whose copies share what did not change.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Index;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A copy of the map costs one step for so many entries; the first change of one of them after that copies them all.
const SHELF: usize = 64;

/// A map in the order of its keys that is copied as a whole often and changed in few places in between. Its entries lie on
/// shelves, and copies of the map share them until one of their entries is changed.
#[derive(Clone, PartialEq, Eq)]
pub struct SharedMap<K, V> {
    /// None is empty; they and their entries are in order.
    shelves: Vec<Arc<Vec<(K, V)>>>,
    entries: usize,
}

impl<K, V> Default for SharedMap<K, V> {
    fn default() -> Self {
        Self { shelves: Vec::new(), entries: 0 }
    }
}

impl<K: Ord, V> SharedMap<K, V> {
    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// The number of the shelf that a key belongs on, and its place there if it has one; else the place where it would be.
    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> (usize, Result<usize, usize>)
    where
        K: Borrow<Q>,
    {
        let begins_before = |shelf: &Arc<Vec<(K, V)>>| shelf.first().is_some_and(|(first, _)| first.borrow() <= key);
        let number = match self.shelves.last() {
            // What is added in order belongs on the last one.
            Some(last) if begins_before(last) => self.shelves.len() - 1,
            _ => self.shelves.partition_point(begins_before).saturating_sub(1),
        };
        match self.shelves.get(number) {
            Some(entries) => (number, entries.binary_search_by(|(known, _)| known.borrow().cmp(key))),
            None => (number, Err(0)),
        }
    }

    /// The value of a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let (number, place) = self.find(key);
        Some(&self.shelves.get(number)?[place.ok()?].1)
    }

    /// Whether the key has a value.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get(key).is_some()
    }

    /// In the order of the keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        self.shelves.iter().flat_map(|shelf| shelf.iter()).map(|(key, value)| (key, value))
    }

    /// In their order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }

    /// In the order of the keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.iter().map(|(_, value)| value)
    }
}

impl<K: Ord + Clone, V: Clone> SharedMap<K, V> {
    /// The value of a key, to be changed: copies of the map keep theirs.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let (number, place) = self.find(key);
        let place = place.ok()?;
        self.shelves.get_mut(number).map(|shelf| &mut Arc::make_mut(shelf)[place].1)
    }

    /// The value of a key, made when it has none, to be changed.
    pub fn get_or_insert_with(&mut self, key: &K, value: impl FnOnce() -> V) -> &mut V {
        let (mut number, place) = self.find(key);
        let mut place = match place {
            Ok(place) => return &mut Arc::make_mut(&mut self.shelves[number])[place].1,
            Err(place) => place,
        };
        self.entries += 1;
        let length = self.shelves.get(number).map_or(0, |shelf| shelf.len());
        let is_the_end = number + 1 >= self.shelves.len() && place == length;
        if is_the_end && (length == 0 || length >= SHELF) {
            self.shelves.push(Arc::default());
            (number, place) = (self.shelves.len() - 1, 0);
        } else if length == 2 * SHELF {
            let second = Arc::make_mut(&mut self.shelves[number]).split_off(SHELF);
            self.shelves.insert(number + 1, Arc::new(second));
            if place > SHELF {
                (number, place) = (number + 1, place - SHELF);
            }
        }
        let entries = Arc::make_mut(&mut self.shelves[number]);
        entries.insert(place, (key.clone(), value()));
        &mut entries[place].1
    }

    /// Drops the entries whose keys `keep` does not want.
    pub fn retain(&mut self, mut keep: impl FnMut(&K) -> bool) {
        for shelf in &mut self.shelves {
            let wanted: Vec<bool> = shelf.iter().map(|(key, _)| keep(key)).collect();
            if wanted.contains(&false) {
                let mut wanted = wanted.into_iter();
                Arc::make_mut(shelf).retain(|_| wanted.next().unwrap_or_default());
            }
        }
        self.shelves.retain(|shelf| !shelf.is_empty());
        self.entries = self.shelves.iter().map(|shelf| shelf.len()).sum();
    }
}

impl<K: Ord + Borrow<Q>, V, Q: Ord + ?Sized> Index<&Q> for SharedMap<K, V> {
    type Output = V;

    /// # Panics
    ///
    /// When the key has no value.
    fn index(&self, key: &Q) -> &V {
        let (number, place) = self.find(key);
        let Ok(place) = place else { panic!("there is no entry for the key") };
        &self.shelves[number][place].1
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for SharedMap<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let sorted: BTreeMap<K, V> = entries.into_iter().collect();
        let entries = sorted.len();
        let mut sorted = sorted.into_iter();
        let shelf = |_| Arc::new(sorted.by_ref().take(SHELF).collect());
        Self { shelves: (0..entries.div_ceil(SHELF)).map(shelf).collect(), entries }
    }
}

impl<K: Ord + fmt::Debug, V: fmt::Debug> fmt::Debug for SharedMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<K: Ord + Serialize, V: Serialize> Serialize for SharedMap<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, K: Ord + Deserialize<'de>, V: Deserialize<'de>> Deserialize<'de> for SharedMap<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self::from_iter)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map_and_its_copies_stay_what_they_were(
            steps in prop::collection::vec((0_u8..8, any::<u16>()), 1..600), ascending: bool,
        ) {
            let (mut map, mut model) = (SharedMap::default(), BTreeMap::new());
            let mut copies = Vec::new();
            for (number, (step, key)) in steps.into_iter().enumerate() {
                let key = if ascending { u16::try_from(number).unwrap() } else { key % 1_000 };
                match step {
                    0 if key % 7 == 0 => copies.push((map.clone(), model.clone())),
                    0 if key % 5 == 0 => {
                        map.retain(|known| known % 3 != key % 3);
                        model.retain(|known, _| known % 3 != key % 3);
                    }
                    1 => prop_assert_eq!(map.get_mut(&key).map(|value| *value += 1), model.get_mut(&key).map(|value| *value += 1)),
                    _ => {
                        *map.get_or_insert_with(&key, || 0) += u32::from(step);
                        *model.entry(key).or_insert(0) += u32::from(step);
                    }
                }
                prop_assert_eq!(map.get(&key), model.get(&key));
                prop_assert_eq!(map.len(), model.len());
            }
            copies.push((map, model));
            for (map, model) in copies {
                prop_assert!(map.iter().eq(model.iter()));
                prop_assert!(map.shelves.iter().all(|shelf| (1..=2 * SHELF).contains(&shelf.len())));
                let json = serde_json::to_string(&map).unwrap();
                prop_assert_eq!(&json, &serde_json::to_string(&model).unwrap());
                prop_assert!(serde_json::from_str::<SharedMap<u16, u32>>(&json).unwrap().iter().eq(model.iter()));
            }
        }
    }

    #[test]
    fn a_change_copies_one_shelf() {
        let map: SharedMap<usize, usize> = (0..10 * SHELF).map(|number| (number, number)).collect();
        let mut copy = map.clone();
        *copy.get_mut(&1).unwrap() = 9;
        let shared = map.shelves.iter().zip(&copy.shelves).filter(|(one, other)| Arc::ptr_eq(one, other));
        assert_eq!((shared.count(), map[&1], copy[&1]), (9, 1, 9));
    }
}
