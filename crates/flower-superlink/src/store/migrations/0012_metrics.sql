-- Numbers that replies brought, and what the SuperLink measured of replies. They go with their run, also
-- where a program of before deletes the run.
CREATE TABLE metric_point (
    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    round INTEGER NOT NULL,
    type TEXT NOT NULL,                  -- of the instruction
    node INTEGER NOT NULL,
    source TEXT NOT NULL,                -- app, superlink
    name TEXT NOT NULL,
    value REAL                           -- NULL: not a number
) STRICT;
CREATE INDEX metric_point_round ON metric_point (run, round);
-- How many points a run has.
ALTER TABLE run ADD COLUMN points INTEGER NOT NULL DEFAULT 0;

-- The same of all nodes together. NULL: not a number.
CREATE TABLE metric_total (
    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    round INTEGER NOT NULL,
    type TEXT NOT NULL,
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    least REAL,
    most REAL,
    mean REAL,
    weight REAL NOT NULL,                -- the sum of the examples
    replies INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    PRIMARY KEY (run, round, type, source, name)
) STRICT, WITHOUT ROWID;
