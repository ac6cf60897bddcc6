-- How a node wants its messages: 'objects', 'inline' (flwr 1.15 to 1.18), 'tasks' (1.8 to 1.14) with
-- '-1.11' or '-1.12' once it is known, or empty if that was not noted: as objects then.
ALTER TABLE node ADD COLUMN dialect TEXT NOT NULL DEFAULT '';
