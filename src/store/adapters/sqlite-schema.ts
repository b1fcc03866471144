/**
 * The tables of the SQLite engine. `user_version` counts the migrations that a file has had; a file with more of them than
 * this program knows is left alone. A migration that was released is never edited: the next one is appended.
 *
 * Each index answers one question of `MessageTable` and holds only the messages in the states that the question is about,
 * so that a claim reads one entry at any depth. Payloads have a table of their own: a lease that is extended must not
 * rewrite a large text. Instants of messages are steady milliseconds, those of records wall milliseconds.
 */
export const migrations: readonly string[] = [
  `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT;

  CREATE TABLE message (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    state INTEGER NOT NULL,
    rank INTEGER NOT NULL,
    enqueued REAL NOT NULL,
    expires REAL NOT NULL,
    deadline REAL NOT NULL,
    max_deliveries INTEGER NOT NULL,
    deliveries INTEGER NOT NULL,
    due REAL NOT NULL,
    token TEXT NOT NULL,
    holder TEXT NOT NULL,
    history TEXT NOT NULL
  ) STRICT;
  CREATE TABLE payload (seq INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
  CREATE INDEX message_order ON message (rank, deadline, seq) WHERE state = 0;
  CREATE INDEX message_arrival ON message (rank, seq) WHERE state = 0;
  CREATE INDEX message_due ON message (due) WHERE state IN (1, 2, 4, 6);
  CREATE INDEX message_expiry ON message (expires) WHERE state IN (0, 1, 3);
  CREATE INDEX message_unreported ON message (seq) WHERE state = 5;
  CREATE INDEX message_dead ON message (seq) WHERE state IN (5, 6, 7);

  CREATE TABLE record (
    collection TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    version INTEGER NOT NULL,
    expires REAL,
    UNIQUE (collection, key)
  ) STRICT;
  CREATE INDEX record_expiry ON record (expires) WHERE expires IS NOT NULL;
  `,
]
