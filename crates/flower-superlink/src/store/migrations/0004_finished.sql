-- Which runs finished first, and how many: for `--keep-runs`.
CREATE INDEX run_finished ON run (finished_at, id) WHERE finished_at IS NOT NULL;
