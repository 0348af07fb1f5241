-- What a homeserver behind may not know yet, and who is telling it.

-- 1 once the homeserver's account of this name is known to be this one. Nothing is told of others.
ALTER TABLE users ADD COLUMN at_homeserver BIGINT NOT NULL DEFAULT 0;

-- Marks: the homeserver may not know how a device stands, or an account and all its devices. What
-- it is told is how they stand when it is told.
CREATE TABLE outbox (
    user_id TEXT NOT NULL,
    -- '' for the account and all its devices.
    device_id TEXT NOT NULL,
    -- Drawn anew by whoever marks: only the mark that was looked at is taken away.
    stamp TEXT NOT NULL,
    -- 1 when the display name was changed here.
    renamed BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    -- By the clock of the database, as below.
    due_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, device_id)
);
CREATE INDEX outbox_by_due ON outbox (due_at);

-- Who tells the homeserver of a user: one at a time, so that what is told keeps its order.
CREATE TABLE holds (
    user_id TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    held_until BIGINT NOT NULL
);
