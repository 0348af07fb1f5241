-- How often entries were dropped from the feed. A snapshot that was begun before the last time
-- remembers what nobody has to.
ALTER TABLE store ADD COLUMN compactions BIGINT NOT NULL DEFAULT 0;
