//! `cron-parser` from npm.
//!
//! Known differences, each at one change of the zone's offset:
//! - of named hours, it moves what falls into a gap by the length of the gap (02:30 to 03:30), or leaves it out when a list or
//!   range has other hours; here all of it runs once, at the end of the gap, as its next chance: so ours has a slot at that
//!   end, or theirs has one within the length of the gap after it, and the earlier of the two is that one;
//! - of hours with a step over all, it leaves out what the clock shows for the second time; here they run in real time, so ours
//!   has a slot in the second pass that theirs lacks.

use std::process::{Command, Stdio};

use super::{Change, compare};
use crate::kit::tools;

const SCRIPT: &str = "
const { CronExpressionParser } = require('cron-parser');
for (const line of require('fs').readFileSync(0, 'utf8').trimEnd().split('\\n')) {
    const [expression, tz, start, count] = line.split('\\t');
    const slots = CronExpressionParser.parse(expression, { currentDate: new Date(start * 1000), tz });
    console.log(Array.from({ length: count }, () => slots.next().getTime() / 1000).join(' '));
}
";

#[test]
fn slots_equal_those_of_cron_parser_but_for_the_known_differences() {
    let required = Command::new("node").args(["-e", "require('cron-parser')"]).stderr(Stdio::null()).status();
    if !required.is_ok_and(|status| status.success()) {
        return tools::missing("node with cron-parser");
    }
    compare("cron-parser", Command::new("node").args(["-e", SCRIPT]), |case, our, their| {
        let change = Change::beside(case.zone, our.min(their))?;
        let named = case.expression.split(' ').nth(1).is_some_and(|hour| !hour.starts_with('*'));
        if named && our < their && our == change.at && change.by > 0 {
            Some("the end of a gap stands for what it left out")
        } else if named && their < our && change.is_moved_by_the_gap(their) {
            Some("moved by the length of the gap")
        } else if !named && our < their && change.is_second_pass(our) {
            Some("a step over all hours in the second pass")
        } else {
            None
        }
    });
}
