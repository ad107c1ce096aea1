-- Changes that nodes have not been told yet, whoever made them; who listens is woken when one is committed.
CREATE TABLE changes (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind TEXT NOT NULL, code INTEGER NOT NULL,
    claimed_at DOUBLE PRECISION NOT NULL DEFAULT 0
);
CREATE FUNCTION note_change() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO changes (kind, code)
        VALUES (TG_ARGV[0], CASE TG_OP WHEN 'DELETE' THEN OLD.code ELSE NEW.code END);
    NOTIFY demonstration_changes;
    RETURN NULL;
END $$;
CREATE TRIGGER votes_changed AFTER INSERT OR DELETE ON votes
    FOR EACH ROW EXECUTE FUNCTION note_change('vote');
CREATE TRIGGER comments_changed AFTER INSERT OR UPDATE OR DELETE ON comments
    FOR EACH ROW EXECUTE FUNCTION note_change('comment');
