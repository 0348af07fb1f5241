-- Which keys the tokens that a session lives by are signed with, so that a key can be given up and
-- everybody who would be hit by it named.
-- Of a session that does not renew: the key of its one token. NULL when it is not known.
ALTER TABLE devices ADD COLUMN key_id TEXT;
-- Of a session that renews: of the generation that has been used and of those that have been given
-- out since, with a comma behind each. Empty when they are not known.
ALTER TABLE refreshes ADD COLUMN keys TEXT NOT NULL DEFAULT '';
ALTER TABLE refreshes ADD COLUMN next_keys TEXT NOT NULL DEFAULT '';

-- Until when a node may answer for tokens though it is not heard of.
ALTER TABLE nodes ADD COLUMN answers_until BIGINT NOT NULL DEFAULT 0;
-- Keys that wait for this node no longer, with a comma behind each.
ALTER TABLE nodes ADD COLUMN excused TEXT NOT NULL DEFAULT '';
-- Drawn at each start: tells two processes of one name apart.
ALTER TABLE nodes ADD COLUMN run TEXT NOT NULL DEFAULT '';
