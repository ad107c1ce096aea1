-- Comments; a visitor's key makes one that is sent twice one.
CREATE TABLE comments (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, visitor TEXT NOT NULL, key TEXT NOT NULL,
    code INTEGER NOT NULL, text TEXT NOT NULL, at DOUBLE PRECISION NOT NULL, UNIQUE (visitor, key)
);
CREATE INDEX comments_by_code ON comments (code, id DESC);
