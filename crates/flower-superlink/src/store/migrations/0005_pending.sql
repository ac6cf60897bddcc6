-- Which runs are pending: looked up whenever a run may begin.
CREATE INDEX run_pending ON run (pending_at, id) WHERE phase = 'pending';

-- The oldest schema version whose programs may still read and write this database. Each step from
-- now on sets the number. A program opens a newer database only if the number allows that.
ALTER TABLE link ADD COLUMN oldest INTEGER NOT NULL DEFAULT 5;
