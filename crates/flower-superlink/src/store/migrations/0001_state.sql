-- The state of a SuperLink. Ids of runs and nodes are 64 bits, read as signed; ids of messages
-- and objects are the 32 bytes of their SHA-256; moments are Unix seconds. A row of a run that is
-- finished stands in `run` and `log` only.

-- One row: which state this is. The storage directory names it as its owner.
CREATE TABLE link (
    id TEXT NOT NULL,
    -- When the `online_until` of the nodes was written last; they are kept in memory.
    seen_at REAL NOT NULL
) STRICT;

CREATE TABLE node (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,          -- OpenSSH public key
    online_until REAL NOT NULL,
    unconfirmed_run INTEGER,           -- what was handed out last, and not confirmed
    unconfirmed BLOB
) STRICT;

CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    fab_id TEXT NOT NULL,
    fab_version TEXT NOT NULL,
    fab_hash TEXT NOT NULL,
    override_config BLOB NOT NULL,     -- flwr.proto Run with this field only
    phase TEXT NOT NULL,               -- pending, starting, running, finished:<outcome>
    details TEXT NOT NULL,
    pending_at REAL NOT NULL,
    starting_at REAL,
    running_at REAL,
    finished_at REAL,
    first_context BLOB NOT NULL,       -- flwr.proto Context to begin from
    context BLOB NOT NULL,
    resumed INTEGER NOT NULL DEFAULT 0,
    log_bytes INTEGER NOT NULL DEFAULT 0,
    log_dropped REAL,                  -- when the latest dropped piece was logged
    app_pid INTEGER,                   -- the ServerApp process, if the SuperLink started one
    app_started TEXT
) STRICT;

CREATE TABLE token (
    hash BLOB PRIMARY KEY,
    run INTEGER NOT NULL UNIQUE,
    issued_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE instruction (
    run INTEGER NOT NULL,
    id BLOB NOT NULL,
    src INTEGER NOT NULL,
    dst INTEGER NOT NULL,
    grp TEXT NOT NULL,
    ttl REAL NOT NULL,
    type TEXT NOT NULL,
    created_at REAL NOT NULL,
    error_code INTEGER,
    error_reason TEXT,
    expires_at REAL NOT NULL,
    missing INTEGER NOT NULL,          -- objects whose bytes are not there
    place INTEGER,                     -- in the node's queue, once nothing is missing
    taken INTEGER NOT NULL DEFAULT 0,
    reply BLOB,
    PRIMARY KEY (run, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX instruction_queue ON instruction (dst, place);
CREATE INDEX instruction_expiry ON instruction (expires_at);

CREATE TABLE reply (
    run INTEGER NOT NULL,
    id BLOB NOT NULL,
    src INTEGER NOT NULL,
    dst INTEGER NOT NULL,
    reply_to BLOB,
    grp TEXT NOT NULL,
    ttl REAL NOT NULL,
    type TEXT NOT NULL,
    created_at REAL NOT NULL,
    error_code INTEGER,
    error_reason TEXT,
    missing INTEGER NOT NULL,
    PRIMARY KEY (run, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE object (
    run INTEGER NOT NULL,
    id BLOB NOT NULL,
    children BLOB NOT NULL,            -- their ids, one after the other
    available INTEGER NOT NULL,        -- the bytes are kept
    referrers INTEGER NOT NULL,        -- objects it is a child of, and messages it is the root of
    PRIMARY KEY (run, id)
) STRICT, WITHOUT ROWID;

-- Messages that are not whole until the object arrives.
CREATE TABLE awaited (
    run INTEGER NOT NULL,
    object BLOB NOT NULL,
    message BLOB NOT NULL,
    PRIMARY KEY (run, object, message)
) STRICT, WITHOUT ROWID;

CREATE TABLE log (
    run INTEGER NOT NULL,
    at REAL NOT NULL,
    text TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX log_place ON log (run, at);
