-- Which runs are pending: looked up whenever a run may begin.
CREATE INDEX run_pending ON run (pending_at, id) WHERE phase = 'pending';
