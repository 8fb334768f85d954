//! `cronsim` from `PyPI`, which follows Debian's cron.
//!
//! Known difference: beside a change of the zone's offset, when the minute field starts with `*` and the hour field does not,
//! Debian calls that a wildcard job and runs it in real time; here only the hour field decides. Lord Howe is left out: cronsim
//! assumes that clocks move by whole hours.

use std::process::{Command, Stdio};

use super::{beside_a_change, compare};
use crate::tools;

const SCRIPT: &str = "
import sys
from datetime import datetime
from zoneinfo import ZoneInfo
from cronsim import CronSim
for line in sys.stdin:
    expression, zone, start, count = line.rstrip('\\n').split('\\t')
    slots = CronSim(expression, datetime.fromtimestamp(int(start), ZoneInfo(zone)))
    print(*[int(next(slots).timestamp()) for _ in range(int(count))])
";

#[test]
fn slots_equal_those_of_cronsim_but_for_the_known_differences() {
    let imported = Command::new("python3").args(["-c", "import cronsim, zoneinfo"]).stderr(Stdio::null()).status();
    if !imported.is_ok_and(|status| status.success()) {
        return tools::missing("python3 with cronsim");
    }
    compare("cronsim", Command::new("python3").args(["-c", SCRIPT]), |case, our, their| {
        let mut fields = case.expression.split(' ').map(|field| field.starts_with('*'));
        let minute_star = fields.next() == Some(true) && fields.next() == Some(false);
        (minute_star && beside_a_change(case.zone, our.min(their)))
            .then_some("a star for minutes is real time in Debian")
    });
}
