-- How a node wants its messages: 'inline' (flwr 1.15 to 1.18), 'objects', or empty if that was not
-- noted: as objects then.
ALTER TABLE node ADD COLUMN dialect TEXT NOT NULL DEFAULT '';
