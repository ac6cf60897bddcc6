-- The bytes of objects and FABs: small objects stand in the database, all others under names that
-- are never used again. A name is in exactly one of `blob` and `garbage` once the SuperLink has
-- noted it.

-- NULL: the bytes are not there, or stand in `inline`; a SuperLink of version 1 has stored them
-- under the id.
ALTER TABLE object ADD COLUMN blob text;
ALTER TABLE run ADD COLUMN fab_blob text;

CREATE TABLE blob (
    key text PRIMARY KEY,
    run bigint NOT NULL,
    id bytea NOT NULL,                   -- the SHA-256 of the bytes
    size bigint NOT NULL,
    is_fab boolean NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX blob_run ON blob (run);

-- Names that nothing uses any more, whose bytes are deleted a little later.
CREATE TABLE garbage (
    key text PRIMARY KEY,
    size bigint NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX garbage_since ON garbage (since);

-- Bytes of small objects.
CREATE TABLE inline (
    run bigint NOT NULL,
    id bytea NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (run, id)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
-- They are tensors: to try and compress them costs time and gains nothing.
ALTER TABLE inline ALTER COLUMN bytes SET STORAGE EXTERNAL;
