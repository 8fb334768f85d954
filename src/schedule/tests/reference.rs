//! The policy once more, as a program too slow to be wrong: it looks at every minute of the world's clock.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike};
use proptest::prelude::*;

use super::*;

/// An expression the model understands without a parser: sets of values, and how they are written.
#[derive(Debug, Clone)]
struct Model {
    minutes: Field,
    hours: Field,
    days: Field,
    months: Field,
    weekdays: Field,
}

#[derive(Debug, Clone)]
struct Field {
    written: String,
    values: BTreeSet<u32>,
}

impl Field {
    fn has(&self, value: u32) -> bool {
        self.values.contains(&value)
    }
}

impl Model {
    fn written(&self) -> String {
        [&self.minutes, &self.hours, &self.days, &self.months, &self.weekdays]
            .map(|field| field.written.as_str())
            .join(" ")
    }

    fn shows(&self, local: NaiveDateTime) -> bool {
        let (day, weekday) = (self.days.has(local.day()), self.weekdays.has(local.weekday().num_days_from_sunday()));
        let day = match (self.days.written.as_str(), self.weekdays.written.as_str()) {
            ("*", _) => weekday,
            (_, "*") => day,
            _ => day || weekday,
        };
        day && self.months.has(local.month()) && self.hours.has(local.hour()) && self.minutes.has(local.minute())
    }

    /// The slots in `from..until`. Wall clock times before the range's first are not looked at.
    fn slots(&self, zone: Zone, from: DateTime<Utc>, until: DateTime<Utc>) -> BTreeSet<DateTime<Utc>> {
        let local_at =
            |instant: DateTime<Utc>| instant.naive_utc() + zone.offset_from_utc_datetime(&instant.naive_utc()).fix();
        let mut slots = BTreeSet::new();
        let mut highest = local_at(from - TimeDelta::minutes(1));
        let mut instant = from;
        while instant < until {
            let local = local_at(instant);
            if self.hours.written.starts_with('*') {
                if self.shows(local) {
                    slots.insert(instant);
                }
            } else {
                // Every wall clock time that is reached now for the first time, be it by a jump.
                while highest < local {
                    highest += TimeDelta::minutes(1);
                    if self.shows(highest) {
                        slots.insert(instant);
                    }
                }
            }
            instant += TimeDelta::minutes(1);
        }
        slots
    }
}

fn field(min: u32, max: u32, step_over_all: bool) -> impl Strategy<Value = Field> {
    let star = Just(Field { written: "*".to_owned(), values: (min..=max).collect() });
    let step = (2_u32..=7).prop_map(move |step| Field {
        written: if step_over_all { format!("*/{step}") } else { format!("{min}-{max}/{step}") },
        values: (min..=max).step_by(step as usize).collect(),
    });
    let range = (min..=max, min..=max).prop_map(|(a, b)| Field {
        written: format!("{}-{}", a.min(b), a.max(b)),
        values: (a.min(b)..=a.max(b)).collect(),
    });
    let list = prop::collection::btree_set(min..=max, 1..4)
        .prop_map(|values| Field { written: values.iter().map(u32::to_string).collect::<Vec<_>>().join(","), values });
    prop_oneof![3 => star, 1 => step, 1 => range, 3 => list]
}

fn model() -> impl Strategy<Value = Model> {
    // The hours in which zones change are drawn more often than the others.
    let hours = prop_oneof![
        field(0, 23, true),
        field(0, 3, true).prop_map(|field| Field { written: field.written.replace('*', "0-3"), ..field })
    ];
    (field(0, 59, true), hours, field(1, 28, false), field(1, 12, true), field(0, 6, false)).prop_map(
        |(minutes, hours, days, months, weekdays)| {
            // The day of the month is drawn up to 28, so its star is the only field whose values have to be completed.
            let days = if days.written == "*" { Field { values: (1..=31).collect(), ..days } } else { days };
            Model { minutes, hours, days, months, weekdays }
        },
    )
}

/// Noons shortly before the offset of the zone changes.
const CHANGES: [(&str, &str); 16] = [
    ("Europe/Berlin", "2027-03-27T12:00:00Z"),
    ("Europe/Berlin", "2027-10-30T12:00:00Z"),
    ("America/New_York", "2027-03-13T12:00:00Z"),
    ("America/New_York", "2027-11-06T12:00:00Z"),
    ("Europe/London", "2027-03-27T12:00:00Z"),
    ("Europe/London", "2027-10-30T12:00:00Z"),
    ("Australia/Lord_Howe", "2027-04-03T00:00:00Z"),
    ("Australia/Lord_Howe", "2027-10-02T00:00:00Z"),
    ("Pacific/Apia", "2011-12-29T12:00:00Z"),
    ("Asia/Shanghai", "1991-04-13T06:00:00Z"),
    ("Asia/Shanghai", "1991-09-14T06:00:00Z"),
    // Gaps and repetitions around midnight, by half an hour for good, by two hours, and by a whole day backwards.
    ("Asia/Beirut", "2027-03-27T12:00:00Z"),
    ("America/Havana", "2027-11-06T12:00:00Z"),
    ("Asia/Pyongyang", "2018-05-04T06:00:00Z"),
    ("Antarctica/Troll", "2027-10-30T12:00:00Z"),
    ("Pacific/Kwajalein", "1969-09-29T12:00:00Z"),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn slots_equal_those_of_the_minute_by_minute_model(
        models in prop::collection::vec(model(), 1..3), change in prop::sample::select(CHANGES.as_slice()),
    ) {
        let (zone, from) = (zone(change.0), utc(change.1));
        let until = from + TimeDelta::hours(60);
        let entries: Vec<String> = models.iter().map(Model::written).collect();
        let schedule = Schedule::parse(&entries).unwrap();
        let slots: Vec<DateTime<Utc>> = schedule.slots_between(zone, from, until).map(Slot::instant).collect();
        let expected: BTreeSet<DateTime<Utc>> = models.iter().flat_map(|model| model.slots(zone, from, until)).collect();
        prop_assert_eq!(&slots, &expected.into_iter().collect::<Vec<_>>(), "{:?} in {}", entries, zone);
    }

    #[test]
    fn from_any_instant_the_neighbours_are_those_of_the_whole_list(
        model in model(), change in prop::sample::select(CHANGES.as_slice()), seconds in 0_i64..60 * 3600,
    ) {
        let (zone, from) = (zone(change.0), utc(change.1));
        let until = from + TimeDelta::hours(60);
        let now = from + TimeDelta::seconds(seconds);
        let schedule = Schedule::parse(&[model.written()]).unwrap();
        let slots = model.slots(zone, from, until);
        let next = schedule.next_after(zone, now).map(Slot::instant).filter(|slot| *slot < until);
        prop_assert_eq!(next, slots.iter().copied().find(|slot| *slot > now));
        let last = schedule.last_at_or_before(zone, now, from).map(Slot::instant);
        prop_assert_eq!(last, slots.iter().copied().rfind(|slot| *slot <= now));
    }
}
