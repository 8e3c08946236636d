-- Format 2: whether an import is complete.

CREATE TABLE imports (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    begun_at timestamptz NOT NULL
);
COMMENT ON TABLE imports IS 'An import that has begun and is not complete: nobody serves from these tables. Empty otherwise.';
