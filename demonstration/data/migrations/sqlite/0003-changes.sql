-- Changes that nodes have not been told yet, whoever made them.
CREATE TABLE changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, code INTEGER NOT NULL,
    claimed_at REAL NOT NULL DEFAULT 0
);
CREATE TRIGGER votes_added_change AFTER INSERT ON votes BEGIN
    INSERT INTO changes (kind, code) VALUES ('vote', NEW.code);
END;
CREATE TRIGGER votes_removed_change AFTER DELETE ON votes BEGIN
    INSERT INTO changes (kind, code) VALUES ('vote', OLD.code);
END;
CREATE TRIGGER comments_added_change AFTER INSERT ON comments BEGIN
    INSERT INTO changes (kind, code) VALUES ('comment', NEW.code);
END;
CREATE TRIGGER comments_edited_change AFTER UPDATE ON comments BEGIN
    INSERT INTO changes (kind, code) VALUES ('comment', NEW.code);
END;
CREATE TRIGGER comments_removed_change AFTER DELETE ON comments BEGIN
    INSERT INTO changes (kind, code) VALUES ('comment', OLD.code);
END;
