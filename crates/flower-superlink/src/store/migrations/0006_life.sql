-- A node's life, and what several programs must agree on: its session. The key is free again once
-- its node is unregistered, so that the table is made anew without the column's UNIQUE.
CREATE TABLE node_6 (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,                   -- OpenSSH public key
    owner TEXT,                          -- the account that registered the node; empty where
                                         -- nobody signs in; NULL: the node registered itself
    wire TEXT NOT NULL DEFAULT '',       -- the wire that the node speaks, or empty: not noted
    session INTEGER NOT NULL DEFAULT 0,  -- raised by each activation and each departure
    heard INTEGER NOT NULL DEFAULT 1,    -- a sign of life came in this session
    registered_at REAL,
    activated_at REAL,
    deactivated_at REAL,
    unregistered_at REAL,
    online_until REAL NOT NULL,
    unconfirmed_run INTEGER,             -- what was handed out last, and not confirmed
    unconfirmed BLOB
) STRICT;
INSERT INTO node_6 (id, key, wire, online_until, unconfirmed_run, unconfirmed)
    SELECT id, key, dialect, online_until, unconfirmed_run, unconfirmed FROM node;
DROP TABLE node;
ALTER TABLE node_6 RENAME TO node;
CREATE UNIQUE INDEX node_key ON node (key) WHERE unregistered_at IS NULL;

-- What one process does for a run, with the hash of its token.
CREATE TABLE task (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    kind TEXT NOT NULL,                  -- serverapp
    token BLOB UNIQUE,
    claimed_at REAL,                     -- when the token was issued
    host TEXT,                           -- the machine of the process, if one is noted
    pid INTEGER,
    started TEXT                         -- which of all processes that had the pid
) STRICT;
CREATE INDEX task_run ON task (run);
-- Whose token nobody may have used: looked up every second.
CREATE INDEX task_claimed ON task (claimed_at) WHERE claimed_at IS NOT NULL;
-- Whose process may live: before a run is deleted, and after a restart.
CREATE INDEX task_process ON task (run) WHERE pid IS NOT NULL;
INSERT INTO task (id, run, kind, token, claimed_at, host, pid, started)
    SELECT run.id, run.id, 'serverapp', token.hash, token.issued_at,
           iif(app_pid IS NULL, NULL, ''), app_pid, app_started
    FROM run LEFT JOIN token ON token.run = run.id;
DROP TABLE token;
ALTER TABLE run DROP COLUMN app_pid;
ALTER TABLE run DROP COLUMN app_started;

-- Bytes of objects that nodes pushed and pulled, as far as they were counted.
ALTER TABLE run ADD COLUMN bytes_received INTEGER NOT NULL DEFAULT 0;
ALTER TABLE run ADD COLUMN bytes_sent INTEGER NOT NULL DEFAULT 0;
