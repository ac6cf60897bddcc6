-- Numbers that replies brought, and what the SuperLink measured of replies. They go with their run, also
-- where a program of before deletes the run.
CREATE TABLE metric_point (
    run bigint NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    round bigint NOT NULL,
    type text NOT NULL,                  -- of the instruction
    node bigint NOT NULL,
    source text NOT NULL,                -- app, superlink
    name text NOT NULL,
    value double precision               -- NULL: not a number
);
CREATE INDEX metric_point_round ON metric_point (run, round);
-- How many points a run has.
ALTER TABLE run ADD COLUMN points bigint NOT NULL DEFAULT 0;

-- The same of all nodes together. NULL: not a number.
CREATE TABLE metric_total (
    run bigint NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    round bigint NOT NULL,
    type text NOT NULL,
    source text NOT NULL,
    name text NOT NULL,
    least double precision,
    most double precision,
    mean double precision,
    weight double precision NOT NULL,    -- the sum of the examples
    replies bigint NOT NULL,
    failures bigint NOT NULL,
    PRIMARY KEY (run, round, type, source, name)
);
