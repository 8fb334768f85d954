//! The pairs by number, and their numbers by name.

use std::cmp::Ordering;

use super::pair::Pair;
use crate::names::{AccountName, TaskName};

/// One account of one task.
pub type PairKey = (TaskName, AccountName);

/// The number of a pair as long as there is this pair; the next one in its place has another number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PairId {
    place: u32,
    generation: u32,
}

/// What is due at an instant names its pair by number: with a hundred thousand of them, a search by name costs more than
/// everything else that is done for an order.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    places: Vec<Place>,
    free: Vec<u32>,
    /// The places that are taken, in the order of the names of their pairs.
    by_name: Vec<u32>,
}

#[derive(Debug, Default)]
struct Place {
    generation: u32,
    pair: Option<Pair>,
}

impl Pairs {
    fn place(&self, place: u32) -> Option<&Place> {
        self.places.get(usize::try_from(place).ok()?)
    }

    fn place_mut(&mut self, place: u32) -> Option<&mut Place> {
        self.places.get_mut(usize::try_from(place).ok()?)
    }

    fn compare(&self, place: u32, task: &TaskName, account: &AccountName) -> Ordering {
        let pair = self.place(place).and_then(|place| place.pair.as_ref());
        pair.map_or(Ordering::Less, |pair| (&pair.task.name, pair.account()).cmp(&(task, account)))
    }

    fn rank(&self, task: &TaskName, account: &AccountName) -> Result<usize, usize> {
        // A configuration comes into force in the order of the names.
        match self.by_name.last() {
            Some(last) if self.compare(*last, task, account).is_lt() => Err(self.by_name.len()),
            _ => self.by_name.binary_search_by(|place| self.compare(*place, task, account)),
        }
    }

    fn id_at(&self, place: u32) -> Option<PairId> {
        self.place(place).map(|taken| PairId { place, generation: taken.generation })
    }

    /// The number of the pair with these names.
    pub(super) fn find(&self, task: &TaskName, account: &AccountName) -> Option<PairId> {
        self.id_at(self.by_name[self.rank(task, account).ok()?])
    }

    pub(super) fn get(&self, id: PairId) -> Option<&Pair> {
        self.place(id.place).filter(|place| place.generation == id.generation)?.pair.as_ref()
    }

    pub(super) fn get_mut(&mut self, id: PairId) -> Option<&mut Pair> {
        self.place_mut(id.place).filter(|place| place.generation == id.generation)?.pair.as_mut()
    }

    /// Adds a pair whose names are new.
    pub(super) fn insert(&mut self, pair: Pair) -> PairId {
        let (Ok(rank) | Err(rank)) = self.rank(&pair.task.name, pair.account());
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
        });
        self.by_name.insert(rank, place);
        let mut generation = 0;
        if let Some(free) = self.place_mut(place) {
            generation = free.generation;
            free.pair = Some(pair);
        }
        PairId { place, generation }
    }

    pub(super) fn remove(&mut self, id: PairId) -> Option<Pair> {
        let pair = self.get(id)?;
        let rank = self.rank(&pair.task.name, pair.account()).ok()?;
        self.by_name.remove(rank);
        self.free.push(id.place);
        let place = self.place_mut(id.place)?;
        place.generation = place.generation.wrapping_add(1);
        place.pair.take()
    }

    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// In the order of the names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (PairId, &Pair)> {
        self.by_name.iter().filter_map(|place| {
            let id = self.id_at(*place)?;
            Some((id, self.get(id)?))
        })
    }
}
