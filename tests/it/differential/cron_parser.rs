//! `cron-parser` from npm.
//!
//! Known differences, all beside a change of the zone's offset:
//! - of named hours, it moves what falls into a gap by the length of the gap, minute by minute, or leaves it out when the list
//!   or range has other hours; here it runs once, at the end of the gap;
//! - of hours with a step over all, it runs one that happens twice once; here they run in real time.

use std::process::{Command, Stdio};

use super::{beside_a_change, compare};
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
        let named = case.expression.split(' ').nth(1).is_some_and(|hour| !hour.starts_with('*'));
        let class = if named { "a named hour in a gap" } else { "a step over all hours when one happens twice" };
        beside_a_change(case.zone, our.min(their)).then_some(class)
    });
}
