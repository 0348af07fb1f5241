-- The rights of nodes that only verify (`amaretti serve --verify-only`), and nothing beyond them.
--
-- Run it once in the node's database, as its owner or as somebody who may make roles, after the
-- database was made (`amaretti keys new`), and again after an upgrade:
--
--   psql amaretti -f docs/verify-only.sql
--
-- Such a node reads the feed, writes that it is there, and says which tokens were used for the first
-- time. It cannot read accounts, devices and claims, and cannot end, begin or renew anything.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'amaretti_verify') THEN
        CREATE ROLE amaretti_verify LOGIN;
    END IF;
END
$$;

GRANT USAGE ON SCHEMA public TO amaretti_verify;
GRANT SELECT ON migrations, store, feed TO amaretti_verify;

-- Where nodes say that they are there, a role may change and take away the rows it has made itself.
GRANT SELECT, INSERT, UPDATE, DELETE ON nodes, beats TO amaretti_verify;
ALTER TABLE nodes ADD COLUMN IF NOT EXISTS made_by TEXT NOT NULL DEFAULT CURRENT_USER;
ALTER TABLE beats ADD COLUMN IF NOT EXISTS made_by TEXT NOT NULL DEFAULT CURRENT_USER;
ALTER TABLE nodes ENABLE ROW LEVEL SECURITY;
ALTER TABLE beats ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS all_are_seen ON nodes;
DROP POLICY IF EXISTS all_are_seen ON beats;
DROP POLICY IF EXISTS own_are_written ON nodes;
DROP POLICY IF EXISTS own_are_written ON beats;
CREATE POLICY all_are_seen ON nodes FOR SELECT USING (TRUE);
CREATE POLICY all_are_seen ON beats FOR SELECT USING (TRUE);
CREATE POLICY own_are_written ON nodes USING (made_by = CURRENT_USER);
CREATE POLICY own_are_written ON beats USING (made_by = CURRENT_USER);

-- A token of a session was used for the first time. Generation 0: the login it came of is not
-- repeated any more. A later one: if it is the next generation, and was given out, it is the one that
-- lives from now on. Whatever else is told changes nothing.
CREATE OR REPLACE FUNCTION amaretti_first_use(
    used_session TEXT,
    used_generation BIGINT,
    used_branch BIGINT
) RETURNS BIGINT LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    whose TEXT;
    changed BIGINT;
BEGIN
    IF used_generation = 0 THEN
        UPDATE claims SET state = 'used' WHERE session = used_session AND state = 'done';
        GET DIAGNOSTICS changed = ROW_COUNT;
        RETURN changed;
    END IF;
    SELECT user_id INTO whose FROM refreshes WHERE session = used_session;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;
    -- The lock that every node takes before it writes about a user.
    PERFORM pg_advisory_xact_lock(
        ('x' || substr(encode(sha256(convert_to(whose, 'UTF8')), 'hex'), 1, 16))::bit(64)::bigint
    );
    UPDATE refreshes
    SET generation = used_generation,
        branch = used_branch,
        settled_at = floor(extract(epoch FROM clock_timestamp()) * 1000),
        branches = '',
        keys = CASE WHEN next_keys = '' THEN keys ELSE next_keys END,
        next_keys = ''
    WHERE session = used_session
        AND generation = used_generation - 1
        AND used_branch::TEXT = ANY (string_to_array(branches, ','));
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END
$$;
REVOKE ALL ON FUNCTION amaretti_first_use FROM PUBLIC;
GRANT EXECUTE ON FUNCTION amaretti_first_use TO amaretti_verify;
