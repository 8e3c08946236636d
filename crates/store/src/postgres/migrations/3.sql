-- Format 3: keys have limits. Null: none.

ALTER TABLE api_keys
    ADD COLUMN requests_per_second bigint,
    ADD COLUMN burst bigint,
    ADD COLUMN max_locks bigint,
    ADD COLUMN max_holds bigint,
    ADD COLUMN max_waiters bigint;
COMMENT ON COLUMN api_keys.burst IS 'Requests that may come at once; null: as many as in a second';
COMMENT ON COLUMN api_keys.max_locks IS 'How many locks calls with the key may bring its namespace to';
COMMENT ON COLUMN api_keys.max_holds IS 'How many holds, with those that are waited for, calls with the key may bring its namespace to';
COMMENT ON COLUMN api_keys.max_waiters IS 'How many requests in line calls with the key may bring its namespace to';
