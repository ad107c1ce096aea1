-- Answers to mutations, by their Idempotency-Key; status 0: being made.
CREATE TABLE answers (
    who TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, status INTEGER NOT NULL,
    body BLOB NOT NULL, at REAL NOT NULL, PRIMARY KEY (who, key)
) WITHOUT ROWID;
CREATE INDEX answers_by_age ON answers (at);
