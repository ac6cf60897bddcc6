-- The SuperLinks that work with the database, each by its name. Each transaction of a SuperLink changes
-- the row of its name first. A start that was followed by another with the same name can commit nothing,
-- and `batch` tells whether a COMMIT happened whose answer was lost. (`writer` was that row while one
-- SuperLink worked with a database.)
CREATE TABLE link (
    name text PRIMARY KEY,
    epoch bigint NOT NULL,               -- numbers the starts of all SuperLinks
    batch bigint NOT NULL,
    host text NOT NULL,
    pid bigint NOT NULL,
    version text NOT NULL,               -- of the program
    care text NOT NULL DEFAULT 'others', -- who tends the ServerApps that come: others, here, anywhere
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,        -- a sign of life, by the clock of the database
    settings text NOT NULL DEFAULT '{}'  -- JSON: flags of what must be the same everywhere, with hashes
) WITH (fillfactor = 20);
CREATE SEQUENCE link_epoch;
SELECT setval('link_epoch', epoch + 1) FROM writer;

-- Counts what is written of the node but signs of life: other SuperLinks read rows that they do not know.
ALTER TABLE node ADD COLUMN edition bigint NOT NULL DEFAULT 0;
CREATE SEQUENCE node_edition;

-- Until when the process of a task that has begun counts as alive, and which SuperLink started it.
ALTER TABLE task ADD COLUMN alive_until double precision;
ALTER TABLE task ADD COLUMN link text;

-- Refresh tokens that were shown a moment ago, by the SHA-256 of each. Who asks the provider, and what it
-- gave: sealed, for those who have the token.
CREATE TABLE refresh (
    token bytea PRIMARY KEY,
    begun_at timestamptz NOT NULL,
    given bytea
);

-- Logins that have begun, by the SHA-256 of their device codes.
CREATE TABLE login (
    code bytea PRIMARY KEY,
    until double precision NOT NULL,
    interval double precision NOT NULL   -- seconds between two questions to the provider
);
