-- Sessions that renew their tokens. Generations count exchanges; a branch is the instant a pair of
-- tokens of one generation was minted at.
CREATE TABLE refreshes (
    session TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    -- The newest generation of which a token has been used, and its branch.
    generation BIGINT NOT NULL,
    branch BIGINT NOT NULL,
    -- When it was used: what a grace for the generation before is counted from.
    settled_at BIGINT NOT NULL,
    -- Branches of the next generation, oldest first, with commas between, and when the newest of
    -- them was opened.
    branches TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    -- Caveats that the session's access tokens carry, one a line.
    carried TEXT NOT NULL
);
CREATE INDEX refreshes_by_device ON refreshes (user_id, device_id);
