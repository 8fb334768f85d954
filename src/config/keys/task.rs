//! The keys of a task and of its steps.

use super::shape::{Key, NAME, Shape, TableKeys};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;
pub(super) const YEAR: u64 = 365 * DAY;

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
            never: None,
            definition: None,
        }),
    ],
};

/// What peers can do and we refuse for good.
const NEVER: &str = "this is left out on purpose: tgsignd neither forges the requests of mini apps, nor buys captcha tokens, nor \
                     pretends to be a browser";

/// The names under which it is likely to be looked for.
const NEVER_VERBS: &[&str] =
    &["web_app", "webapp", "mini_app", "captcha_token", "turnstile", "recaptcha", "browser", "http"];

const ROW: Shape = Shape::Integer { least: -100, most: 100 };

const BUTTON: Shape = Shape::Either {
    says: "a pattern, such as 'Check in', or a place, such as { row = 1, column = 2 }",
    shapes: &[
        Shape::Text { such_as: "'Check in' or '/check.?in/i'", pattern: "" },
        Shape::Table(&TableKeys::new(
            "a button",
            &[
                Key::new("text", Shape::Text { such_as: "'/a/'", pattern: "" }, "Its label, as it is."),
                Key::new("row", ROW, "Its row: 1 is the first, -1 the last. Default: 1."),
                Key::new("column", ROW, "Its column: 1 is the first, -1 the last. Default: 1."),
            ],
        )),
    ],
};

const BUTTONS: Shape = Shape::Either { says: "a button or a list of buttons", shapes: &[BUTTON, Shape::List(&BUTTON)] };

const CHAT: Shape = Shape::Either {
    says: "\"@name\", a numeric id or a t.me link",
    shapes: &[
        Shape::Integer { least: LEAST_CHAT, most: MOST_CHAT },
        Shape::Text { such_as: "\"@some_bot\"", pattern: "" },
    ],
};

const PATTERNS: Shape =
    Shape::Either { says: "a pattern or a list of patterns", shapes: &[PATTERN, Shape::List(&PATTERN)] };

const WORDS: Shape = Shape::Either {
    says: "text in quotes, such as '/checkin', { text = '…' }, or a list of them",
    shapes: &[TEXT, Shape::List(&TEXT)],
};

const TEXT: Shape = Shape::Either {
    says: "text in quotes, such as '/checkin', or { text = '…' }",
    shapes: &[
        Shape::Text { such_as: "'/checkin'", pattern: "" },
        Shape::Table(&TableKeys::new(
            "a literal text",
            &[Key::new("text", Shape::Text { such_as: "'{a}'", pattern: "" }, "Sent as it is, braces and all.")
                .required()],
        )),
    ],
};

/// Steps hold steps: statics may point in a circle, constants may not.
static ONE_STEP: Shape = Shape::Table(&STEP);

static BRANCH: TableKeys = TableKeys::new(
    "a branch",
    &[
        Key::new("match", PATTERN, "What has to be said; the first branch whose pattern matches is taken.").required(),
        Key::new("steps", Shape::List(&ONE_STEP), "What is done then; may be left out."),
    ],
);

static STEP: TableKeys = TableKeys {
    title: "a step",
    keys: &[
        Key::new(
            "send",
            WORDS,
            "Sends this text as it is, or one drawn from a list; never a regular expression. At most 4096 UTF-16 units. \
             {name} stands for what a group of an earlier pattern captured: one line of at most 200 characters.",
        ),
        Key::new("reply", WORDS, "As `send`, in answer to the newest message that counts."),
        Key::new("to", PATTERN, "The message that is answered with `reply` says this."),
        Key::new(
            "start",
            Shape::Text { such_as: "'ref_1' or 'https://t.me/some_bot?start=ref_1'", pattern: "" },
            "Starts the bot of the chat with this parameter, which may be given as a link.",
        ),
        Key::new("dice", Shape::Word(&["🎲", "🎯", "🏀", "⚽", "🎳", "🎰"]), "Throws this emoji."),
        Key::new(
            "click",
            BUTTONS,
            "Presses the first button, inline or of the reply keyboard, that the pattern matches, or the one at a place; of a \
             list, earlier ones win.",
        ),
        Key::new(
            "open",
            BUTTONS,
            "Gets the page of a button by https, from `hosts` alone. At most 1 MiB of it are read; nothing in it is carried out.",
        ),
        Key::new(
            "hosts",
            Shape::List(&Shape::Text { such_as: "\"sign.example.com\"", pattern: "" }),
            "The only hosts that `open` asks, also when it is redirected. Addresses of this machine and of local networks are \
             refused whatever their names.",
        ),
        Key::new(
            "authorise",
            Shape::Flag,
            "Whether Telegram may tell the page of `open` who opens it, where the button offers that. Default: false.",
        ),
        Key::new("vote", PATTERNS, "Votes for the answer of an open poll that the pattern matches."),
        Key::new("forward", PATTERN, "Forwards the newest message that the pattern matches to the chat of the task."),
        Key::new("from", CHAT, "Where `forward` looks for the message. Default: the chat of the task."),
        Key::new(
            "choose",
            Shape::Word(&["question", "image"]),
            "question: presses the one button that the question names, in quotes, behind a colon, or as words of its text. \
             image: presses the button that a model of [ai] chooses by the picture.",
        ),
        Key::new(
            "solve",
            Shape::Word(&["arithmetic"]),
            "Answers a sum in digits or in Chinese, English or Russian words: presses the button with the result, or types it.",
        ),
        Key::new("read", Shape::Word(&["image"]), "Types what a model of [ai] reads in the picture."),
        Key::new("length", Shape::Integer { least: 1, most: 32 }, "How many characters `read` has to find."),
        Key::new(
            "alphabet",
            Shape::Word(&["digits", "letters", "letters-and-digits", "chinese"]),
            "The characters that `read` has to find. Default: letters-and-digits.",
        ),
        Key::new(
            "prompt",
            Shape::Text { such_as: "'Which animal is upside down?'", pattern: "" },
            "Told to the model of `read` or of `choose = 'image'` besides what it is told anyway.",
        ),
        Key::new(
            "expect",
            PATTERN,
            "Waits for a text, a caption or a popup that the pattern matches; its named groups are captured.",
        ),
        Key::new("refuse", PATTERN, "From here on the run has failed when the bot says this."),
        Key::new("wait", Shape::Duration { least: 0, most: DAY }, "Lets time pass."),
        Key::new("read_history", Shape::Flag, "Marks the chat as read."),
        Key::new("delete", Shape::Flag, "Deletes the messages of this run, for everybody."),
        Key::new("join", Shape::Flag, "Joins the public group or channel of the task."),
        Key::new("leave", Shape::Flag, "Leaves it."),
        Key::new(
            "when",
            Shape::List(&Shape::Table(&BRANCH)),
            "Waits for what one of the branches matches, and does the steps of that one.",
        ),
        Key::new(
            "repeat",
            Shape::Integer { least: 1, most: 20 },
            "Does `steps` at most so many times. A step of a round that cannot be done, and a failure that the bot names, \
             begin the next round when there is an `until`.",
        ),
        Key::new("until", PATTERN, "Ends a `repeat`; a success that the bot names ends it too."),
        Key::new("steps", Shape::List(&ONE_STEP), "The steps of a `repeat`."),
        Key::new(
            "within",
            Shape::Duration { least: 1, most: DAY },
            "How long what this step needs is waited for. Default: 30s.",
        ),
        Key::new("optional", Shape::Flag, "Whether the script goes on when this step cannot be done. Default: false."),
        Key::new("else", Shape::List(&ONE_STEP), "What is done instead when this step cannot be done."),
    ],
    exactly_one: &[
        "send",
        "click",
        "open",
        "vote",
        "forward",
        "expect",
        "wait",
        "solve",
        "choose",
        "read",
        "reply",
        "refuse",
        "start",
        "dice",
        "when",
        "repeat",
        "read_history",
        "delete",
        "join",
        "leave",
    ],
    later: &[],
    never: Some((NEVER_VERBS, NEVER)),
    definition: Some("step"),
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
        Key::new(
            "from",
            Shape::Word(&["start", "step"]),
            "Where a further attempt begins: at the first step, or at the step that could not be done. Default: start.",
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
            CHAT,
            "Where: \"@name\", a numeric id (-100… for channels and supergroups), https://t.me/NAME or https://t.me/c/ID.",
        ),
        Key::new(
            "post_gap",
            Shape::Duration { least: 0, most: HOUR },
            "Shortest time between own messages in a group. The account's own `post_gap` holds when it is longer.",
        ),
        Key::new("topic", Shape::Integer { least: 1, most: i32::MAX as i64 }, "Topic of a forum."),
        Key::new(
            "delete_after",
            Shape::Duration { least: 0, most: 7 * DAY },
            "Deletes the messages that were sent so long after the run; the run does not wait for it.",
        ),
        Key::new("steps", Shape::List(&ONE_STEP), "What is said and expected, in order; each step has one verb."),
        Key::new(
            "outcome",
            Shape::Table(&OUTCOME),
            "Patterns that decide the outcome, looked at before the built-in ones in Chinese, English and Russian.",
        ),
    ],
);

/// A time of day.
pub(super) const CLOCK: Shape = Shape::Text { such_as: "\"07:00\"", pattern: "^([01][0-9]|2[0-3]):[0-5][0-9]$" };

const SCHEDULE: Shape = Shape::Text { such_as: "\"06:00\" or \"0 6 * * *\"", pattern: "" };

/// Marked ids as Telegram defines them (<https://core.telegram.org/api/bots/ids>): users up to 2^40 - 1, channels and
/// monoforums down to -4 000 000 000 000.
pub(in crate::config) const LEAST_CHAT: i64 = -4_000_000_000_000;
pub(in crate::config) const MOST_CHAT: i64 = (1 << 40) - 1;
