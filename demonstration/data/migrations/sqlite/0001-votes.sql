-- Votes, and how many each character has.
CREATE TABLE votes (
    visitor TEXT NOT NULL, code INTEGER NOT NULL, at REAL NOT NULL, PRIMARY KEY (visitor, code)
) WITHOUT ROWID;
CREATE TABLE scores (code INTEGER PRIMARY KEY, votes INTEGER NOT NULL);
CREATE INDEX scores_by_votes ON scores (votes DESC, code);

CREATE TRIGGER votes_added AFTER INSERT ON votes BEGIN
    INSERT INTO scores (code, votes) VALUES (NEW.code, 1) ON CONFLICT (code) DO UPDATE SET votes = votes + 1;
END;
CREATE TRIGGER votes_removed AFTER DELETE ON votes BEGIN
    UPDATE scores SET votes = votes - 1 WHERE code = OLD.code;
END;
