-- Format 4: whether deadlines are stored, and if so, when every timeout began.

ALTER TABLE holds ADD COLUMN renewed_at timestamptz;
UPDATE holds SET renewed_at = acquired_at;
ALTER TABLE holds ALTER COLUMN renewed_at SET NOT NULL;
COMMENT ON TABLE holds IS 'Who holds what, and when its timeout began, if deadlines are stored';
COMMENT ON COLUMN holds.renewed_at IS 'When its timeout began; later refreshes may have left no trace, unless table stored_deadlines has a row';

CREATE TABLE stored_deadlines (
    only_row boolean PRIMARY KEY CHECK (only_row),
    since timestamptz NOT NULL
);
COMMENT ON TABLE stored_deadlines IS 'Has a row while every refresh leaves its time in table holds, as on-demand leadership needs it';
