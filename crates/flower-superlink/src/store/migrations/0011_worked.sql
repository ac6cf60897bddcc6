-- How long the ClientApps of a run have worked, in microseconds, as far as their nodes tell.
ALTER TABLE run ADD COLUMN worked INTEGER NOT NULL DEFAULT 0;
