-- The state of a SuperLink. Ids of runs and nodes are 64 bits, read as signed; ids of messages and
-- objects are the 32 bytes of their SHA-256; moments are Unix seconds. Text of peers and people is
-- escaped: PostgreSQL keeps no NUL, so NUL stands as `\0` and `\` as `\\`. A row of a run that is
-- finished stands in `run`, `task` and `log` only.

-- One row: which state this is. The storage directory names it as its owner.
CREATE TABLE state (
    id text NOT NULL,
    -- When the signs of life of nodes were written last; they are kept in memory.
    seen_at double precision NOT NULL
);

-- One row: who writes. Each transaction of the SuperLink changes this row first. A SuperLink of an
-- earlier epoch can commit nothing, and `batch` tells whether a COMMIT happened whose answer was lost.
CREATE TABLE writer (
    epoch bigint NOT NULL,               -- raised by each start of a SuperLink
    batch bigint NOT NULL,
    host text NOT NULL,
    pid bigint NOT NULL
) WITH (fillfactor = 20);
INSERT INTO writer (epoch, batch, host, pid) VALUES (0, 0, '', 0);

CREATE TABLE node (
    id bigint PRIMARY KEY,
    key text NOT NULL,                   -- OpenSSH public key
    next_key text,                       -- the key from the first call on that is made with that key
    owner text,                          -- the account that registered the node; empty where
                                         -- nobody signs in; NULL: the node registered itself
    wire text NOT NULL DEFAULT '',       -- the wire that the node speaks, or empty: not noted
    session bigint NOT NULL DEFAULT 0,   -- raised by each activation and each departure
    heard boolean NOT NULL DEFAULT true, -- a sign of life came in this session
    registered_at double precision,
    activated_at double precision,
    deactivated_at double precision,
    unregistered_at double precision,
    online_until double precision NOT NULL,
    unconfirmed_run bigint,              -- what was handed out last, and not confirmed
    unconfirmed bytea,
    name text,
    location text,                       -- degrees of latitude and longitude
    release text,                        -- the release of Flower that the node told
    certificate text                     -- the subject of the certificate that the node showed
) WITH (fillfactor = 70);
-- The key is free again once its node is unregistered.
CREATE UNIQUE INDEX node_key ON node (key) WHERE unregistered_at IS NULL;
CREATE UNIQUE INDEX node_next_key ON node (next_key)
    WHERE next_key IS NOT NULL AND unregistered_at IS NULL;
CREATE INDEX node_unconfirmed ON node (unconfirmed_run) WHERE unconfirmed_run IS NOT NULL;

-- The owners of the certificates by which nodes were seen: these certificates open no port for people.
CREATE TABLE node_certificate (
    owner text PRIMARY KEY               -- the subject, or the names where the subject is empty
);

-- Keys of nodes that a person has unregistered. A list does not let them in, until a person
-- registers them again.
CREATE TABLE node_dismissed (
    key text PRIMARY KEY,                -- OpenSSH public key
    at double precision NOT NULL
);

-- Tokens by which nodes join.
CREATE TABLE join_token (
    id bytea PRIMARY KEY,
    secret bytea NOT NULL,               -- SHA-256 of the secret
    owner text NOT NULL,                 -- the account that made the token, or empty
    name text,                           -- what people call the node
    address text NOT NULL,
    issued_at double precision NOT NULL,
    expires_at double precision NOT NULL,
    uses bigint NOT NULL,                -- how many nodes may join
    revoked_at double precision
);

-- The nodes that joined, each with the key that it had then.
CREATE TABLE join_token_use (
    token bytea NOT NULL,
    key text NOT NULL,                   -- OpenSSH public key
    node bigint NOT NULL,
    at double precision NOT NULL,
    PRIMARY KEY (token, key)
);

CREATE TABLE run (
    id bigint PRIMARY KEY,
    number bigint GENERATED ALWAYS AS IDENTITY,  -- the order in which runs came
    fab_id text NOT NULL,
    fab_version text NOT NULL,
    fab_hash text NOT NULL,
    override_config bytea NOT NULL,      -- flwr.proto Run with this field only
    phase text NOT NULL,                 -- pending, starting, running, finished:<outcome>
    details text NOT NULL,
    pending_at double precision NOT NULL,
    starting_at double precision,
    running_at double precision,
    finished_at double precision,
    account text NOT NULL,               -- who started it (OIDC `sub`), or empty where nobody signs in
    first_context bytea NOT NULL,        -- flwr.proto Context to begin from
    context bytea NOT NULL,
    resumed boolean NOT NULL DEFAULT false,
    log_bytes bigint NOT NULL DEFAULT 0,
    log_dropped double precision,        -- when the latest dropped piece was logged
    bytes_received bigint NOT NULL DEFAULT 0,
    bytes_sent bigint NOT NULL DEFAULT 0,
    worked bigint NOT NULL DEFAULT 0     -- microseconds of ClientApps
) WITH (fillfactor = 70);
CREATE INDEX run_finished ON run (finished_at, id) WHERE finished_at IS NOT NULL;
CREATE INDEX run_pending ON run (pending_at, id) WHERE phase = 'pending';

-- What one process does for a run, with the hash of its token.
CREATE TABLE task (
    id bigint PRIMARY KEY,
    run bigint NOT NULL,
    kind text NOT NULL,                  -- serverapp
    token bytea UNIQUE,
    claimed_at double precision,         -- when the token was issued
    holder text,                         -- from where the holder of the token calls
    host text,                           -- the machine of the process, if one is noted
    pid bigint,
    started text                         -- which of all processes that had the pid
);
CREATE INDEX task_run ON task (run);
CREATE INDEX task_claimed ON task (claimed_at) WHERE claimed_at IS NOT NULL;
CREATE INDEX task_process ON task (run) WHERE pid IS NOT NULL;

-- The places of instructions in the queues of their nodes: later is higher.
CREATE SEQUENCE instruction_place;

CREATE TABLE instruction (
    run bigint NOT NULL,
    id bytea NOT NULL,
    src bigint NOT NULL,
    dst bigint NOT NULL,
    grp text NOT NULL,
    ttl double precision NOT NULL,
    type text NOT NULL,
    created_at double precision NOT NULL,
    error_code bigint,
    error_reason text,
    expires_at double precision NOT NULL,
    missing bigint NOT NULL,             -- objects whose bytes are not there
    place bigint,                        -- in the node's queue, once nothing is missing
    taken boolean NOT NULL DEFAULT false,
    reply bytea,
    PRIMARY KEY (run, id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX instruction_queue ON instruction (dst, place) WHERE place IS NOT NULL AND NOT taken;
CREATE INDEX instruction_dst ON instruction (dst);
CREATE INDEX instruction_expiry ON instruction (expires_at);

CREATE TABLE reply (
    run bigint NOT NULL,
    id bytea NOT NULL,
    src bigint NOT NULL,
    dst bigint NOT NULL,
    reply_to bytea,
    grp text NOT NULL,
    ttl double precision NOT NULL,
    type text NOT NULL,
    created_at double precision NOT NULL,
    error_code bigint,
    error_reason text,
    missing bigint NOT NULL,
    PRIMARY KEY (run, id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX reply_src ON reply (run, src);

CREATE TABLE object (
    run bigint NOT NULL,
    id bytea NOT NULL,
    children bytea NOT NULL,             -- their ids, one after the other
    available boolean NOT NULL,          -- the bytes are kept
    referrers bigint NOT NULL,           -- objects it is a child of, and messages it is the root of
    PRIMARY KEY (run, id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- Messages that are not whole until the object arrives.
CREATE TABLE awaited (
    run bigint NOT NULL,
    object bytea NOT NULL,
    message bytea NOT NULL,
    PRIMARY KEY (run, object, message)
) WITH (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

CREATE TABLE log (
    run bigint NOT NULL,
    at double precision NOT NULL,
    text text NOT NULL,
    bytes bigint NOT NULL,               -- of the text before it was escaped
    PRIMARY KEY (run, at)
);
