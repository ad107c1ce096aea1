-- Answers to mutations, by their Idempotency-Key; status 0: being made.
CREATE TABLE answers (
    who TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, status INTEGER NOT NULL,
    body BYTEA NOT NULL, at DOUBLE PRECISION NOT NULL, PRIMARY KEY (who, key)
);
CREATE INDEX answers_by_age ON answers (at);
