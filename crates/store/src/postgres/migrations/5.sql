-- Format 5: which API key took a hold, and which request took a past one.

ALTER TABLE holds ADD COLUMN acquired_by text;
COMMENT ON COLUMN holds.acquired_by IS 'The API key that took it, if any';

ALTER TABLE history ADD COLUMN idempotency_key text;
COMMENT ON COLUMN history.idempotency_key IS 'The Idempotency-Key of the request that took it: a late copy of that request is refused';
