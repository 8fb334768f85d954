//! The keys of `[backup]`.

use super::settings::SECRET;
use super::shape::{Key, Shape, TableKeys};
use super::task::{DAY, YEAR};

const KEEP: TableKeys = TableKeys::new(
    "keep",
    &[
        Key::new("last", Shape::Integer { least: 3, most: 500 }, "The newest generations. Default: 14."),
        Key::new(
            "daily",
            Shape::Integer { least: 0, most: 366 },
            "The last one of each of so many days (UTC). Default: 30.",
        ),
        Key::new(
            "weekly",
            Shape::Integer { least: 0, most: 520 },
            "The last one of each of so many weeks (UTC, from Monday). Default: 12.",
        ),
    ],
);

pub(super) const BACKUP: TableKeys = TableKeys::new(
    "[backup]",
    &[
        Key::new(
            "url",
            Shape::Text { such_as: "\"https://dav.example.com/dav/\"", pattern: r"^https?://[^\s@?#]+$" },
            "Address of the WebDAV server. The variable TG_SIGNER_BACKUP_WEBDAV_URL wins.",
        ),
        Key::new(
            "allow_http",
            Shape::Flag,
            "Allows an address with http:// that is not on this machine: everybody on the way sees the password. Default: false.",
        ),
        Key::new(
            "username",
            Shape::Text { such_as: "\"alice\"", pattern: "^[^:]+$" },
            "User name on the server. The variable TG_SIGNER_BACKUP_WEBDAV_USERNAME wins.",
        ),
        Key::new(
            "password",
            SECRET,
            "Password on the server; many want one made for applications. The variable TG_SIGNER_BACKUP_WEBDAV_PASSWORD wins.",
        ),
        Key::new(
            "remote_path",
            Shape::Text { such_as: "\"/tgsignd/\"", pattern: "^/" },
            "A folder when it ends in /, made when it is missing; else a file, whose name begins the names of all our files in \
             its folder. Default: /tgsignd/. The variable TG_SIGNER_BACKUP_REMOTE_PATH wins.",
        ),
        Key::new(
            "ca",
            Shape::Text { such_as: "\"/etc/ssl/my-ca.pem\"", pattern: "^/" },
            "Absolute path of a PEM file with certificates that are trusted besides the usual ones.",
        ),
        Key::new(
            "interval",
            Shape::Duration { least: 10, most: DAY },
            "How often the server is asked for changes, and changes here are sent at the latest. Default: 5m. The variable \
             TG_SIGNER_BACKUP_INTERVAL_SECONDS wins.",
        ),
        Key::new(
            "min_gap",
            Shape::Duration { least: 1, most: DAY },
            "Shortest time between two uploads that finished runs cause. Default: 60s.",
        ),
        Key::new(
            "recipients",
            Shape::List(&Shape::Text { such_as: "\"age1…\"", pattern: "^age1[0-9a-z]+$" }),
            "age recipients that can read the backup. Put an offline recovery key among them.",
        ),
        Key::new(
            "identity",
            SECRET,
            "The age identity (AGE-SECRET-KEY-1…) of one of them; only where the daemon has to restore or drill by itself.",
        ),
        Key::new(
            "encryption_key",
            SECRET,
            "Instead of recipients and identity: one secret of at least 32 bytes, or an age identity, from which both are \
             derived. The variable TG_SIGNER_BACKUP_ENCRYPTION_KEY wins.",
        ),
        Key::new(
            "level",
            Shape::Integer { least: 1, most: 9 },
            "Compression, from 1 (quick) to 9 (small). Default: 6.",
        ),
        Key::new("keep", Shape::Table(&KEEP), "What is kept on the server."),
        Key::new(
            "drill",
            Shape::Duration { least: 3600, most: YEAR },
            "How often the newest generation is restored into a scratch folder, where there is an identity. Default: 7d.",
        ),
    ],
);
