//! `cron-parser` from npm, the most used one for JavaScript.

use std::process::{Command, Stdio};

use super::{beside_a_change, compare};
use crate::tools;

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
    compare("cron-parser", Command::new("node").args(["-e", SCRIPT]), |case, our, their| None);
}
