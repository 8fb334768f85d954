//! The keys of a file, of the settings tables and of an account.

use super::backup::BACKUP;
use super::shape::{Key, Shape, TableKeys};
use super::task::{CLOCK, DAY, TASK, YEAR};

const PROXY: Shape = Shape::Text {
    such_as: "\"socks5://127.0.0.1:1080\"",
    pattern: r"^socks5://([^\s/?#@]*@)?[^\s/?#@]+:[0-9]{1,5}/?$",
};

/// A secret: the text itself, or where it is kept.
pub(super) const SECRET: Shape = Shape::Either {
    says: "text in quotes, or where the secret is kept: { file = \"/…\" }, { env = \"…\" } or { credential = \"…\" }",
    shapes: &[
        Shape::Text { such_as: "\"…\"", pattern: "" },
        Shape::Table(&TableKeys {
            title: "a secret's place",
            keys: &[
                Key::new(
                    "file",
                    Shape::Text { such_as: "\"/etc/credstore/api-hash\"", pattern: "^/" },
                    "Absolute path of a file that only its owner can read. A line break at its end is not part of the secret.",
                ),
                Key::new(
                    "env",
                    Shape::Text { such_as: "\"API_HASH\"", pattern: "^[A-Za-z_][A-Za-z0-9_]*$" },
                    "Name of an environment variable.",
                ),
                Key::new(
                    "credential",
                    Shape::Text { such_as: "\"api-hash\"", pattern: "^[^/]+$" },
                    "Name of a systemd credential (LoadCredential=).",
                ),
            ],
            exactly_one: &["file", "env", "credential"],
            later: &[],
            never: None,
            definition: None,
        }),
    ],
};

const TEST_DATA_CENTRE: TableKeys = TableKeys::new(
    "a test data centre",
    &[
        Key::new("id", Shape::Integer { least: 1, most: 5 }, "Number of the data centre.").required(),
        Key::new(
            "address",
            Shape::Text { such_as: "\"127.0.0.1:4430\"", pattern: r"^(127\.|\[::1\]:)" },
            "Loopback address and port of the simulated data centre.",
        )
        .required(),
        Key::new(
            "key_seed",
            Shape::Text { such_as: "\"any text\"", pattern: "" },
            "The keys that are known beforehand are derived from it. Without it there are none.",
        ),
    ],
);

const TELEGRAM: TableKeys = TableKeys::new(
    "[telegram]",
    &[
        Key::new(
            "api_id",
            Shape::Integer { least: 1, most: i32::MAX as i64 },
            "Your own api_id from https://my.telegram.org. The variable TG_API_ID wins.",
        ),
        Key::new("api_hash", SECRET, "The api_hash that belongs to api_id. The variable TG_API_HASH wins."),
        Key::new(
            "proxy",
            PROXY,
            "SOCKS5 proxy, with `user:password@` before the host if it asks for them. The variable TG_PROXY wins; an \
             account may name its own.",
        ),
        Key::new(
            "connect",
            Shape::Word(&["on-demand", "always"]),
            "Connect shortly before a run, or stay connected: a session that was ended is then told within minutes, not \
             at the next run. Default: on-demand.",
        ),
        Key::new(
            "test_data_centres",
            Shape::List(&Shape::Table(&TEST_DATA_CENTRE)),
            "Simulated data centres for tests, used instead of Telegram.",
        ),
    ],
);

const HTTP: TableKeys = TableKeys::new(
    "[http]",
    &[Key::new(
        "listen",
        Shape::Text {
            such_as: "\"127.0.0.1:9464\" or \"unix:/run/tgsignd/http.sock\"",
            pattern: "^(unix:/.+|.+:[0-9]{1,5})$",
        },
        "IP address and port, or `unix:` and an absolute path, of the health and metrics listener. When it is set, the \
         variable PORT is ignored. Default: 127.0.0.1:9464.",
    )],
);

const LOG: TableKeys = TableKeys::new(
    "[log]",
    &[
        Key::new(
            "format",
            Shape::Word(&["auto", "pretty", "json"]),
            "Shape of a line. Default: auto, which is pretty on a terminal and under journald, else json.",
        ),
        Key::new(
            "level",
            Shape::Text { such_as: "\"info\" or \"info,tgsignd=debug\"", pattern: "" },
            "off, error, warn, info, debug or trace; also by module, as in `info,tgsignd=debug`. Default: info.",
        ),
    ],
);

const HISTORY: TableKeys = TableKeys::new(
    "[history]",
    &[
        Key::new(
            "runs",
            Shape::Duration { least: DAY, most: 100 * YEAR },
            "How long finished runs are kept; at least as long as every task's `missed` window. Default: 400d.",
        ),
        Key::new(
            "transcripts",
            Shape::Duration { least: DAY, most: 100 * YEAR },
            "How long the transcripts of runs are kept. Default: 30d.",
        ),
    ],
);

const AT_MOST: TableKeys = TableKeys::new(
    "at_most",
    &[
        Key::new("runs", Shape::Integer { least: 1, most: 100_000 }, "How many attempts.").required(),
        Key::new("per", Shape::Duration { least: 1, most: 7 * DAY }, "In how long a time.").required(),
    ],
);

/// The keys of `[accounts.NAME]`.
pub(in crate::config) static ACCOUNT: TableKeys = TableKeys::new(
    "an account",
    &[
        Key::new(
            "phone",
            Shape::Text { such_as: "\"+8613800000000\"", pattern: r"^\+[0-9 ()\-]{7,24}$" },
            "Phone number with + and country code. Only a hint for `tgsignd login`.",
        ),
        Key::new("proxy", PROXY, "SOCKS5 proxy of this account, instead of the one of [telegram]."),
        Key::new(
            "quiet",
            Shape::List(&CLOCK),
            "Two times of day, such as [\"23:00\", \"07:00\"], between which nothing is begun; of the slots of one night the \
             last one runs when it is over.",
        ),
        Key::new(
            "timezone",
            Shape::Text { such_as: "\"Asia/Shanghai\"", pattern: "" },
            "IANA name of the zone of the quiet hours. Default: the zone of each task.",
        ),
        Key::new(
            "at_most",
            Shape::Table(&AT_MOST),
            "The most attempts that are begun in a time; what comes on top waits, and is missed when its window passes.",
        ),
        Key::new(
            "post_gap",
            Shape::Duration { least: 1, most: 60 * 60 },
            "Shortest time between own messages in one group; no task can lower it. Default: 3s.",
        ),
    ],
);

const BASE_URL: Key = Key::new(
    "base_url",
    Shape::Text { such_as: "\"https://api.openai.com/v1\"", pattern: "^https?://" },
    "An OpenAI-compatible server, up to /chat/completions. Default: https://api.openai.com/v1. OPENAI_BASE_URL wins.",
);
const API_KEY: Key = Key::new("api_key", SECRET, "Its key, if it needs one. OPENAI_API_KEY wins.");

const AI: TableKeys = TableKeys::new(
    "[ai]",
    &[
        BASE_URL,
        API_KEY,
        Key::new(
            "model",
            Shape::Text { such_as: "\"gpt-4o\"", pattern: "" },
            "A model that sees pictures. OPENAI_MODEL wins; without a model none is asked.",
        ),
        Key::new(
            "fallbacks",
            Shape::List(&Shape::Table(&FALLBACK)),
            "Asked in this order when the one before fails or answers what is not possible.",
        ),
        Key::new(
            "command",
            Shape::List(&Shape::Text { such_as: "\"/usr/local/bin/solve\"", pattern: "" }),
            "A program with its arguments, asked after the models: picture on its input, answer on its output; the question \
             is in TGSIGND_INSTRUCTIONS, TGSIGND_QUESTION and TGSIGND_OPTIONS. No shell reads it.",
        ),
        Key::new("timeout", Shape::Duration { least: 1, most: 300 }, "For each answer. Default: 30s."),
        Key::new(
            "daily_limit",
            Shape::Integer { least: 0, most: 100_000 },
            "Calls a day (UTC) of all accounts together, counted anew after a restart. Default: 100.",
        ),
    ],
);

const FALLBACK: TableKeys = TableKeys::new(
    "a fallback",
    &[
        BASE_URL,
        API_KEY,
        Key::new("model", Shape::Text { such_as: "\"some-model\"", pattern: "" }, "The name of the model.").required(),
    ],
);

/// The keys at the top of a file.
pub(in crate::config) static FILE: TableKeys = TableKeys {
    title: "a file",
    keys: &[
        Key::new(
            "version",
            Shape::Integer { least: 1, most: 1 },
            "Version of the file format, always 1. It stands in tgsignd.toml and nowhere else.",
        ),
        Key::new("telegram", Shape::Table(&TELEGRAM), "How Telegram is reached. Only in tgsignd.toml."),
        Key::new("http", Shape::Table(&HTTP), "The health and metrics listener. Only in tgsignd.toml."),
        Key::new("log", Shape::Table(&LOG), "Log output. Only in tgsignd.toml."),
        Key::new("history", Shape::Table(&HISTORY), "How long things are kept. Only in tgsignd.toml."),
        Key::new(
            "ai",
            Shape::Table(&AI),
            "Models that answer what scripts cannot; all optional. Only in tgsignd.toml.",
        ),
        Key::new(
            "backup",
            Shape::Table(&BACKUP),
            "The encrypted copy of the state on a WebDAV server; all optional. Only in tgsignd.toml.",
        ),
        Key::new(
            "defaults",
            Shape::Table(&TASK),
            "What holds for every task that does not say otherwise: any key of a task. Only in tgsignd.toml.",
        ),
        Key::new("accounts", Shape::Named(&ACCOUNT), "Telegram accounts by name, in any file."),
        Key::new("tasks", Shape::Named(&TASK), "Check-ins by name, in any file."),
    ],
    exactly_one: &[],
    later: &[],
    never: None,
    definition: None,
};
