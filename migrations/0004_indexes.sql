-- What is looked for by something else than its key.
CREATE INDEX claims_by_session ON claims (session);
CREATE INDEX claims_by_expiry ON claims (expires_at);
CREATE INDEX stages_by_expiry ON stages (expires_at);
CREATE INDEX devices_by_session ON devices (session);
