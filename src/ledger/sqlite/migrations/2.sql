-- The latest slot of a task and account whose deadline people were told of.
CREATE TABLE deadline_alarms (
    task    TEXT NOT NULL,
    account TEXT NOT NULL,
    slot    INTEGER NOT NULL,
    PRIMARY KEY (task, account)
) STRICT, WITHOUT ROWID;
