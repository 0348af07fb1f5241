-- Portable SQL: TEXT and BIGINT only. Instants are milliseconds since 1970 UTC; ids of sessions,
-- keys and stores are lower-case hexadecimal digits.

-- What this store is: one row.
CREATE TABLE store (
    only_row BIGINT PRIMARY KEY CHECK (only_row = 1),
    id TEXT NOT NULL,
    server_name TEXT NOT NULL,
    -- 1 once a key was made for it: from then on a missing key is an error.
    has_had_key BIGINT NOT NULL
);

CREATE TABLE users (
    user_id TEXT PRIMARY KEY,
    -- argon2id in PHC form.
    password_hash TEXT NOT NULL,
    -- Every transaction that begins or ends a session takes the next one.
    tick BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE devices (
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    -- The session that lives on the device.
    session TEXT NOT NULL,
    display_name TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, device_id)
);

-- The facts in commit order.
CREATE TABLE feed (
    sequence BIGINT PRIMARY KEY,
    -- Tells this row from another with its number, after a restored backup.
    random TEXT NOT NULL,
    kind TEXT NOT NULL,
    user_id TEXT,
    device_id TEXT,
    session TEXT,
    tick BIGINT,
    value TEXT,
    -- Latest expiry of a token that the fact may hit, 0 for never, and the keys it may be signed
    -- with: only when all of them are gone may the row be dropped.
    hits_until BIGINT NOT NULL,
    hits_keys TEXT NOT NULL
);
CREATE INDEX feed_by_user ON feed (user_id);

-- What may happen once, claimed before it does.
CREATE TABLE claims (
    claim TEXT PRIMARY KEY,
    -- taken, done, or used.
    state TEXT NOT NULL,
    -- What a repetition may bring to be given the same result, one a line.
    proofs TEXT NOT NULL,
    -- What came of it.
    session TEXT,
    result TEXT,
    taken_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- The processes that follow this store.
CREATE TABLE nodes (
    node TEXT PRIMARY KEY,
    seen_at BIGINT NOT NULL,
    -- Ids of the keys it holds, with commas between.
    keys TEXT NOT NULL
);
