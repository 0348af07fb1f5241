-- Stages that an interactive session has passed out of band.
CREATE TABLE stages (
    interactive TEXT NOT NULL,
    stage TEXT NOT NULL,
    -- What it was passed with, where that matters later: a registration token.
    value TEXT,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (interactive, stage)
);

CREATE TABLE registration_tokens (
    token TEXT PRIMARY KEY,
    -- How many accounts it may still make; NULL for any number.
    uses_left BIGINT,
    used BIGINT NOT NULL,
    -- NULL for never.
    expires_at BIGINT,
    created_at BIGINT NOT NULL
);

-- When each user was last given a login token.
ALTER TABLE users ADD COLUMN login_token_at BIGINT NOT NULL DEFAULT 0;
