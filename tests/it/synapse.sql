-- What a Synapse 1.163 has in the four tables that are read, as its own schema makes them, with a
-- few people who live in example.com.
CREATE TABLE users (
    name TEXT, password_hash TEXT, creation_ts BIGINT, admin SMALLINT DEFAULT 0 NOT NULL,
    upgrade_ts BIGINT, is_guest SMALLINT DEFAULT 0 NOT NULL, appservice_id TEXT,
    consent_version TEXT, consent_server_notice_sent TEXT, user_type TEXT DEFAULT NULL,
    deactivated SMALLINT DEFAULT 0 NOT NULL, shadow_banned BOOLEAN, consent_ts BIGINT,
    approved BOOLEAN, locked BOOLEAN DEFAULT FALSE NOT NULL,
    suspended BOOLEAN DEFAULT FALSE NOT NULL, UNIQUE (name)
);
CREATE TABLE devices (
    user_id TEXT NOT NULL, device_id TEXT NOT NULL, display_name TEXT, last_seen BIGINT, ip TEXT,
    user_agent TEXT, hidden BOOLEAN DEFAULT FALSE, UNIQUE (user_id, device_id)
);
CREATE TABLE refresh_tokens (
    id BIGINT PRIMARY KEY, user_id TEXT NOT NULL, device_id TEXT NOT NULL, token TEXT NOT NULL,
    next_token_id BIGINT REFERENCES refresh_tokens (id), expiry_ts BIGINT DEFAULT NULL,
    ultimate_session_expiry_ts BIGINT DEFAULT NULL, UNIQUE (token)
);
CREATE TABLE access_tokens (
    id BIGINT PRIMARY KEY, user_id TEXT NOT NULL, device_id TEXT, token TEXT NOT NULL,
    valid_until_ms BIGINT, puppets_user_id TEXT, last_validated BIGINT,
    refresh_token_id BIGINT REFERENCES refresh_tokens (id), used BOOLEAN, UNIQUE (token)
);

-- Passwords: fisch, dodo, hare; behind each of them the pepper "pepper".
INSERT INTO users (name, password_hash, creation_ts, admin) VALUES
    ('@carol:example.com', '$2b$04$p7NreamTKKYn0YpJjbHBK.s0f9yM761CxZyDWuCqhVet5i9DyLTyu', 1500000000, 1),
    ('@dodo:example.com', '$2b$04$pOViM.DxtUEtT8WMMjV2I.GqIkZtzi3ZOxDqEADMycVBf6S67RUe6', 1500000001, 0),
    ('@nobody:example.com', NULL, 1500000002, 0);
INSERT INTO users (name, password_hash, creation_ts, deactivated) VALUES
    ('@gone:example.com', NULL, 1500000003, 1);
INSERT INTO users (name, password_hash, creation_ts, locked) VALUES
    ('@hare:example.com', '$2b$04$WmpGcHp0kPKfDaYUantii.W1/VPKwr1JpBB9E.XZkr2Ag2UnssDqK', 1500000004, TRUE);
INSERT INTO users (name, password_hash, creation_ts, is_guest) VALUES
    ('@1:example.com', NULL, 1500000005, 1);
INSERT INTO users (name, password_hash, creation_ts, appservice_id) VALUES
    ('@irc_ghost:example.com', NULL, 1500000006, 'irc');

INSERT INTO devices (user_id, device_id, display_name, hidden) VALUES
    ('@carol:example.com', 'PHONE', 'Carol''s phone', FALSE),
    ('@carol:example.com', 'LAPTOP', NULL, FALSE),
    ('@carol:example.com', 'signing key', 'master signing key', TRUE),
    ('@dodo:example.com', 'RENEWING', NULL, FALSE),
    ('@hare:example.com', 'WATCH', NULL, FALSE);

INSERT INTO refresh_tokens (id, user_id, device_id, token, next_token_id, expiry_ts) VALUES
    (3, '@dodo:example.com', 'RENEWING', 'syr_ZG9kbw_present_000000', NULL, NULL),
    (2, '@dodo:example.com', 'RENEWING', 'syr_ZG9kbw_unanswered_000', 3, NULL),
    (1, '@dodo:example.com', 'RENEWING', 'syr_ZG9kbw_spent_00000000', 2, NULL),
    (4, '@dodo:example.com', 'RENEWING', 'syr_ZG9kbw_expired_000000', NULL, 1789999999999);
INSERT INTO access_tokens (id, user_id, device_id, token, valid_until_ms, puppets_user_id, used) VALUES
    (1, '@carol:example.com', 'PHONE', 'syt_Y2Fyb2w_phone_000000', NULL, NULL, TRUE),
    (2, '@carol:example.com', 'LAPTOP', 'MDAxb_from_before_the_year_2021', NULL, NULL, TRUE),
    (3, '@carol:example.com', NULL, 'syt_Y2Fyb2w_without_a_device', NULL, NULL, TRUE),
    (4, '@carol:example.com', 'PHONE', 'syt_Y2Fyb2w_expired_00000', 1789999999999, NULL, TRUE),
    (5, '@carol:example.com', NULL, 'syt_Y2Fyb2w_as_dodo_00000', NULL, '@dodo:example.com', TRUE),
    (6, '@dodo:example.com', 'RENEWING', 'syt_ZG9kbw_short_lived_00', 1790000300000, NULL, TRUE),
    (7, '@hare:example.com', 'WATCH', 'syt_aGFyZQ_watch_00000000', NULL, NULL, TRUE);
