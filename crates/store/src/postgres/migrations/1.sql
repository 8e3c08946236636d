-- Format 1. Runs inside the transaction that claims leadership, with the search path set to the schema.

CREATE TABLE meta (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    format integer NOT NULL,
    epoch bigint NOT NULL,
    connection bigint NOT NULL,
    batch bigint NOT NULL,
    sequence bigint,
    leader_id uuid,
    leader_address text,
    leader_link_token text,
    leader_since timestamptz,
    lease_secs double precision,
    lease_until timestamptz
);
COMMENT ON TABLE meta IS 'Who leads, and how far the committed history goes. One row. Whoever can read it can act as a replica.';
COMMENT ON COLUMN meta.format IS 'Version of these tables';
COMMENT ON COLUMN meta.epoch IS 'Latest term of leadership; every commit of an earlier one is refused';
COMMENT ON COLUMN meta.connection IS 'The one connection of the leader that may write';
COMMENT ON COLUMN meta.batch IS 'How many batches have been committed';
COMMENT ON COLUMN meta.sequence IS 'Highest fencing token given out';
COMMENT ON COLUMN meta.leader_link_token IS 'Secret: what replicas show to the leader';
COMMENT ON COLUMN meta.lease_secs IS 'Others may claim once they have seen this row unchanged for so long';
COMMENT ON COLUMN meta.lease_until IS 'Roughly when that is, for people, by the clock of the database; null once the leader has resigned';
INSERT INTO meta (format, epoch, connection, batch) VALUES (1, 0, 0, 0);

CREATE TABLE locks (
    namespace text COLLATE "C",
    lock_id text COLLATE "C",
    uid uuid NOT NULL,
    max_readers bigint,
    max_writers bigint,
    is_ephemeral boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (namespace, lock_id)
);
COMMENT ON COLUMN locks.max_writers IS '1: write-exclusive; null: no limit';
COMMENT ON COLUMN locks.updated_at IS 'When a hold of it last ended, or it was created';

CREATE TABLE holds (
    namespace text COLLATE "C",
    lock_id text COLLATE "C",
    mode text COLLATE "C" CHECK (mode IN ('read', 'write')),
    process_id text COLLATE "C",
    token bigint NOT NULL,
    timeout_secs bigint NOT NULL,
    acquired_at timestamptz NOT NULL,
    note text,
    idempotency_key text,
    PRIMARY KEY (namespace, lock_id, mode, process_id)
);
COMMENT ON TABLE holds IS 'Who holds what. Deadlines are not here: a refresh that keeps the timeout writes nothing.';

CREATE TABLE releases (
    namespace text COLLATE "C",
    lock_id text COLLATE "C",
    mode text COLLATE "C" CHECK (mode IN ('read', 'write')),
    process_id text COLLATE "C",
    idempotency_key text NOT NULL,
    number bigint NOT NULL,
    PRIMARY KEY (namespace, lock_id, mode, process_id)
);
COMMENT ON TABLE releases IS 'Last release of a hold by a request with an idempotency key, in case that request comes again';

CREATE TABLE history (
    slot bigint PRIMARY KEY,
    number bigint NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    lock_id text COLLATE "C" NOT NULL,
    mode text COLLATE "C" NOT NULL CHECK (mode IN ('read', 'write')),
    process_id text COLLATE "C" NOT NULL,
    token bigint NOT NULL,
    acquired_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    cause text COLLATE "C" NOT NULL CHECK (cause IN ('released', 'expired', 'forced', 'converted')),
    ended_by text,
    note text
);
COMMENT ON TABLE history IS 'Holds that are over. A slot is used again when its past hold is forgotten.';
COMMENT ON COLUMN history.number IS 'Orders the ends of all holds: the highest is the newest';
COMMENT ON COLUMN history.ended_by IS 'The API key that ended it, if one did and is known';

CREATE TABLE api_keys (
    key_id text COLLATE "C" PRIMARY KEY,
    namespace text NOT NULL,
    role text NOT NULL CHECK (role IN ('read', 'write', 'admin')),
    label text NOT NULL,
    hash bytea NOT NULL CHECK (octet_length(hash) = 32),
    created_at timestamptz NOT NULL
);
COMMENT ON COLUMN api_keys.hash IS 'SHA-256 of the whole key';
