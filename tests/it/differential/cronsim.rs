//! `cronsim` from `PyPI`, which follows Debian's cron.
//!
//! Known differences: when the minute field starts with `*` and the hour field does not, Debian calls that a wildcard job
//! and runs it in real time; here only the hour field decides. So ours has a slot at the end of a gap that theirs lacks, or
//! theirs has one in the second pass of what happens twice. Lord Howe is left out: cronsim assumes that clocks move by whole
//! hours.

use std::process::{Command, Stdio};

use super::{Change, compare};
use crate::kit::tools;

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
        let change = Change::beside(case.zone, our.min(their))?;
        if minute_star && our < their && our == change.at && change.by > 0 {
            Some("a gap swallows the named hour of a star for minutes")
        } else if minute_star && their < our && change.is_second_pass(their) {
            Some("a named hour comes twice for a star for minutes")
        } else {
            None
        }
    });
}
