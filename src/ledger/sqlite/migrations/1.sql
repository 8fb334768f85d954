-- Instants are microseconds since the Unix epoch, slots are seconds; JSON is text.

CREATE TABLE instance (
    only_row         INTEGER PRIMARY KEY CHECK (only_row = 1),
    id               TEXT NOT NULL,
    install_seed     BLOB NOT NULL CHECK (length(install_seed) = 32),
    random_id_secret BLOB NOT NULL CHECK (length(random_id_secret) = 32)
) STRICT;

-- One row for each slot that was ever taken. The unique key is the promise "at most one sign-in per slot".
CREATE TABLE claims (
    id         INTEGER PRIMARY KEY,
    run_id     TEXT NOT NULL UNIQUE,
    task       TEXT NOT NULL,
    account    TEXT NOT NULL,
    slot       INTEGER NOT NULL,
    trigger    TEXT NOT NULL,
    fire_at    INTEGER NOT NULL,
    claimed_at INTEGER NOT NULL,
    script     TEXT,             -- JSON, dropped when the claim is closed: only a crash needs it
    outcome    TEXT,             -- of the last attempt
    resume_at  INTEGER,
    closed_at  INTEGER,          -- when the last attempt ended
    UNIQUE (task, account, slot)
) STRICT;
CREATE INDEX claims_by_close ON claims (closed_at);

CREATE TABLE attempts (
    claim       INTEGER NOT NULL REFERENCES claims (id) ON DELETE CASCADE,
    attempt     INTEGER NOT NULL,
    started_at  INTEGER,
    ended_at    INTEGER NOT NULL,
    outcome     TEXT NOT NULL,
    reason      TEXT NOT NULL,
    evidence    TEXT NOT NULL,   -- JSON
    failed_step INTEGER,
    PRIMARY KEY (claim, attempt)
) STRICT;
CREATE INDEX attempts_by_end ON attempts (ended_at);

CREATE TABLE journal (
    id      INTEGER PRIMARY KEY,
    claim   INTEGER NOT NULL REFERENCES claims (id) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    mark    TEXT NOT NULL,       -- JSON
    random_id INTEGER            -- of a message that was about to be sent
) STRICT;
CREATE INDEX journal_by_claim ON journal (claim);

-- Since when a task and account have had their schedule.
CREATE TABLE active (
    task     TEXT NOT NULL,
    account  TEXT NOT NULL,
    schedule TEXT NOT NULL,
    since    INTEGER NOT NULL,
    PRIMARY KEY (task, account)
) STRICT, WITHOUT ROWID;
