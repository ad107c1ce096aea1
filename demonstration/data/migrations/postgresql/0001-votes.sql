-- Votes, and how many each character has.
CREATE TABLE votes (
    visitor TEXT NOT NULL, code INTEGER NOT NULL, at DOUBLE PRECISION NOT NULL, PRIMARY KEY (visitor, code)
);
CREATE TABLE scores (code INTEGER PRIMARY KEY, votes INTEGER NOT NULL);
CREATE INDEX scores_by_votes ON scores (votes DESC, code);

CREATE FUNCTION count_votes() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO scores (code, votes) VALUES (NEW.code, 1)
            ON CONFLICT (code) DO UPDATE SET votes = scores.votes + 1;
    ELSE
        UPDATE scores SET votes = votes - 1 WHERE code = OLD.code;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER votes_counted AFTER INSERT OR DELETE ON votes FOR EACH ROW EXECUTE FUNCTION count_votes();
