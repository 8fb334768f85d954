//! The keys of a task and of its steps.

use super::shape::{Key, NAME, Shape, TableKeys};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;
pub(super) const YEAR: u64 = 365 * DAY;

/// The verbs of the design that this version does not know.
pub(in crate::config) const LATER_VERBS: &[&str] = &[
    "start",
    "dice",
    "choose",
    "solve",
    "read",
    "reply",
    "refuse",
    "open",
    "forward",
    "read_history",
    "delete",
    "join",
    "leave",
    "vote",
];

const PATTERN: Shape = Shape::Either {
    says: "a pattern: text in quotes, a regular expression such as '/\\d+ points/' or { text = '…' }",
    shapes: &[
        Shape::Text { such_as: "'Check in' or '/check.?in/i'", pattern: "" },
        Shape::Table(&TableKeys {
            title: "a literal pattern",
            keys: &[Key::new(
                "text",
                Shape::Text { such_as: "'/a/'", pattern: "" },
                "Looked for as it is, even when it starts and ends with a slash.",
            )
            .required()],
            exactly_one: &[],
            later: &[],
        }),
    ],
};

const PATTERNS: Shape =
    Shape::Either { says: "a pattern or a list of patterns", shapes: &[PATTERN, Shape::List(&PATTERN)] };

const STEP: TableKeys = TableKeys {
    title: "a step",
    keys: &[
        Key::new(
            "send",
            Shape::Text { such_as: "'/checkin'", pattern: "" },
            "Sends this text as it is; never a regular expression. At most 4096 UTF-16 units.",
        ),
        Key::new(
            "click",
            PATTERNS,
            "Presses the first button, inline or of the reply keyboard, that the pattern matches; of a list, earlier \
             patterns win.",
        ),
        Key::new("expect", PATTERN, "Waits for a text, a caption or a popup that the pattern matches."),
        Key::new("wait", Shape::Duration { least: 0, most: DAY }, "Lets time pass."),
        Key::new(
            "within",
            Shape::Duration { least: 1, most: DAY },
            "How long this `click` or `expect` may take. Default: 30s.",
        ),
    ],
    exactly_one: &["send", "click", "expect", "wait"],
    later: LATER_VERBS,
};

const MISSED: TableKeys = TableKeys::new(
    "missed",
    &[
        Key::new(
            "policy",
            Shape::Word(&["run-once", "skip"]),
            "Run the latest missed slot late, or only record and report it. Default: run-once.",
        ),
        Key::new(
            "within",
            Shape::Duration { least: 1, most: YEAR },
            "With run-once: how late it may be, counted from the planned instant. Default: 6h.",
        ),
    ],
);

const RETRY: TableKeys = TableKeys::new(
    "retry",
    &[
        Key::new("attempts", Shape::Integer { least: 1, most: 20 }, "Attempts in total. Default: 3."),
        Key::new(
            "delay",
            Shape::Duration { least: 0, most: HOUR },
            "Before the second attempt; doubled for each further one, at most an hour. Default: 10m.",
        ),
        Key::new(
            "on",
            Shape::List(&Shape::Word(&["failed"])),
            "The outcomes that are tried again. Default: [\"failed\"], the only one that cannot have worked.",
        ),
    ],
);

const OUTCOME: TableKeys = TableKeys::new(
    "outcome",
    &[
        Key::new("success", PATTERNS, "The bot says this when the check-in worked."),
        Key::new("already", PATTERNS, "The bot says this when it had been done before."),
        Key::new("failure", PATTERNS, "The bot says this when it did not work."),
    ],
);

/// The keys of `[tasks.NAME]` and `[defaults]`.
pub(in crate::config) static TASK: TableKeys = TableKeys::new(
    "a task",
    &[
        Key::new(
            "enabled",
            Shape::Flag,
            "Whether the task is scheduled; `tgsignd once` runs it anyway. Default: true.",
        ),
        Key::new(
            "accounts",
            Shape::Either {
                says: "a list of account names, or \"all\"",
                shapes: &[Shape::Word(&["all"]), Shape::List(&Shape::Text { such_as: "\"alice\"", pattern: NAME })],
            },
            "Who performs it: a list of names, or \"all\". May be left out when there is exactly one account.",
        ),
        Key::new(
            "schedule",
            Shape::Either {
                says: "text in quotes, such as \"06:00\" or \"0 6 * * *\", or a list of them",
                shapes: &[SCHEDULE, Shape::List(&SCHEDULE)],
            },
            "When: \"06:00\", \"@daily\" or cron with 5 or 6 fields (the first of six is seconds), or a list of them.",
        ),
        Key::new(
            "between",
            Shape::List(&CLOCK),
            "Instead of `schedule`: once a day, at an instant drawn between two times, such as [\"07:00\", \"09:30\"].",
        ),
        Key::new(
            "every",
            Shape::Duration { least: MINUTE, most: YEAR },
            "Instead of `schedule`: so long after the last success; at once when there was none.",
        ),
        Key::new(
            "once_per",
            Shape::Word(&["day"]),
            "\"day\": a slot is skipped when the task was done before on that day of its zone.",
        ),
        Key::new(
            "timezone",
            Shape::Text { such_as: "\"Asia/Shanghai\"", pattern: "" },
            "IANA name of the zone that the schedule and the deadline are read in. Required here or in [defaults].",
        ),
        Key::new(
            "jitter",
            Shape::Duration { least: 0, most: DAY - 1 },
            "Upper bound of a delay that is drawn for each slot and account; less than 24h. Default: 0s.",
        ),
        Key::new(
            "stagger",
            Shape::Duration { least: 0, most: DAY - 1 },
            "Distance between the accounts of the task. Default: 30s.",
        ),
        Key::new("missed", Shape::Table(&MISSED), "What happens to a slot that could not be run in time."),
        Key::new(
            "deadline",
            Shape::Text { such_as: "\"22:00\"", pattern: "^([01][0-9]|2[0-3]):[0-5][0-9]$" },
            "First such local time after the slot: alarm when the task is not done by then.",
        ),
        Key::new("timeout", Shape::Duration { least: 1, most: DAY }, "Limit of one attempt. Default: 3m."),
        Key::new("retry", Shape::Table(&RETRY), "What happens after an attempt that failed."),
        Key::new(
            "proof",
            Shape::Word(&["bot", "delivered"]),
            "What counts as done: the bot's own words, or, for a place that never answers, that Telegram took the \
             message. Default: bot.",
        ),
        Key::new(
            "chat",
            Shape::Either {
                says: "\"@name\", a numeric id or a t.me link",
                shapes: &[
                    Shape::Integer { least: LEAST_CHAT, most: MOST_CHAT },
                    Shape::Text { such_as: "\"@some_bot\"", pattern: "" },
                ],
            },
            "Where: \"@name\", a numeric id (-100… for channels and supergroups), https://t.me/NAME or https://t.me/c/ID.",
        ),
        Key::new("topic", Shape::Integer { least: 1, most: i32::MAX as i64 }, "Topic of a forum."),
        Key::new(
            "delete_after",
            Shape::Duration { least: 0, most: 7 * DAY },
            "Deletes the messages that were sent so long after the run; the run does not wait for it.",
        ),
        Key::new(
            "steps",
            Shape::List(&Shape::Table(&STEP)),
            "What is said and expected, in order; each step has one verb.",
        ),
        Key::new(
            "outcome",
            Shape::Table(&OUTCOME),
            "Patterns that decide the outcome, looked at before the built-in ones in Chinese, English and Russian.",
        ),
    ],
);

/// A time of day.
pub(super) const CLOCK: Shape =
    Shape::Text { such_as: "\"07:00\"", pattern: "^([01][0-9]|2[0-3]):[0-5][0-9]$" };

const SCHEDULE: Shape = Shape::Text { such_as: "\"06:00\" or \"0 6 * * *\"", pattern: "" };

/// Marked ids as Telegram defines them (<https://core.telegram.org/api/bots/ids>): users up to 2^40 - 1, channels and
/// monoforums down to -4 000 000 000 000.
pub(in crate::config) const LEAST_CHAT: i64 = -4_000_000_000_000;
pub(in crate::config) const MOST_CHAT: i64 = (1 << 40) - 1;
