-- How far each node has followed the feed: a row a node, written once a second through the primary.
CREATE TABLE beats (
    node TEXT PRIMARY KEY,
    -- Counts; the node that reads its own number back has read everything committed before it.
    beat BIGINT NOT NULL,
    -- When it was written, by the clock of the database.
    written_at BIGINT NOT NULL,
    -- How old what the node knew was then, and how far its clock ran ahead, in milliseconds.
    lag BIGINT NOT NULL,
    ahead BIGINT NOT NULL,
    -- The last entry of the feed it has heard.
    sequence BIGINT NOT NULL
);
