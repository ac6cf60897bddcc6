PRAGMA application_id = 1182225228;
PRAGMA user_version = 12;
CREATE TABLE link (
    id TEXT NOT NULL,
    -- When the `online_until` of the nodes was written last; they are kept in memory.
    seen_at REAL NOT NULL
, oldest INTEGER NOT NULL DEFAULT 5) STRICT;
INSERT INTO link VALUES ('18f43c5789892a7c8b9a4c22306917e9', 1758000000.0, 6);
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
    account TEXT NOT NULL DEFAULT '', bytes_received INTEGER NOT NULL DEFAULT 0, bytes_sent INTEGER NOT NULL DEFAULT 0, worked INTEGER NOT NULL DEFAULT 0, points INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO run VALUES (76, 'publisher/app', '1.0.0', 'cd98c950d629c66548537b4ecd68dab3e8cf59974ba6e40df5a1a7354b39db5f', X'', 'finished:completed', '', 1758000000.0, 1758000000.0, 1758000000.0, 1758000000.0, X'', X'', 0, 22, NULL, 'alice-1', 0, 0, 0, 0);
INSERT INTO run VALUES (77, 'publisher/app', '1.0.0', 'cd98c950d629c66548537b4ecd68dab3e8cf59974ba6e40df5a1a7354b39db5f', X'', 'running', '', 1758000000.0, 1758000000.0, 1758000000.0, NULL, X'', X'', 0, 22, NULL, 'alice-1', 0, 0, 0, 0);
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
INSERT INTO instruction VALUES (77, X'05b16b37bf2ed47269d9b3fc063f4b7cc28e9e21cd1c5a2f624426a2109aa6ac', 1, 5, '', 1000.0, 'train', 1758000000.0, NULL, NULL, 1758001000.0, 0, 3, 0, NULL);
INSERT INTO instruction VALUES (77, X'1071315983d09f954b65ca8902e8fe3c1728e903e865a195ca753e6319228a41', 1, 5, '', 1000.0, 'train', 1758000000.0, NULL, NULL, 1758001000.0, 0, 1, 1, X'b8c930d6185d8844f78f217b8ad6c7dc736976189202e84f2d6ee11e59db2e25');
INSERT INTO instruction VALUES (77, X'850940da7fab48b5cb1ff2c0c313456ad053bcb7a6c593e2becfe22c3050908b', 1, 5, '', 1000.0, 'train', 1758000000.0, NULL, NULL, 1758001000.0, 0, 2, 1, X'2162ae3a6c7f7c7a7cba81b506c965129b7546500db0ed4052fed9f316d5449a');
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
INSERT INTO reply VALUES (77, X'2162ae3a6c7f7c7a7cba81b506c965129b7546500db0ed4052fed9f316d5449a', 5, 1, X'850940da7fab48b5cb1ff2c0c313456ad053bcb7a6c593e2becfe22c3050908b', '', 990.0, 'train', 1758000010.0, NULL, NULL, 2);
INSERT INTO reply VALUES (77, X'b8c930d6185d8844f78f217b8ad6c7dc736976189202e84f2d6ee11e59db2e25', 5, 1, X'1071315983d09f954b65ca8902e8fe3c1728e903e865a195ca753e6319228a41', '', 990.0, 'train', 1758000010.0, NULL, NULL, 0);
CREATE TABLE object (
    run INTEGER NOT NULL,
    id BLOB NOT NULL,
    children BLOB NOT NULL,            -- their ids, one after the other
    available INTEGER NOT NULL,        -- the bytes are kept
    referrers INTEGER NOT NULL,        -- objects it is a child of, and messages it is the root of
    PRIMARY KEY (run, id)
) STRICT, WITHOUT ROWID;
INSERT INTO object VALUES (77, X'05b16b37bf2ed47269d9b3fc063f4b7cc28e9e21cd1c5a2f624426a2109aa6ac', X'1585a58e78d57693117d8b4ca01ae60bcc6ecb2ed942bc87e617811d6686cb33', 1, 1);
INSERT INTO object VALUES (77, X'1585a58e78d57693117d8b4ca01ae60bcc6ecb2ed942bc87e617811d6686cb33', X'df5179ea43a8df96a2fc68626942e9cf6cd9eb6ae5bf98a5d09dedf5a7c1fc49', 1, 1);
INSERT INTO object VALUES (77, X'2162ae3a6c7f7c7a7cba81b506c965129b7546500db0ed4052fed9f316d5449a', X'fd69862ac480f51b11590350faab22971cd6bc8cd8ddbec7ad86e63eab7f14a4', 0, 1);
INSERT INTO object VALUES (77, X'4ef107adf6f40f08084cea7b8f0494526631a02c002cd790ab0485c873bf7e71', X'', 1, 1);
INSERT INTO object VALUES (77, X'850940da7fab48b5cb1ff2c0c313456ad053bcb7a6c593e2becfe22c3050908b', X'd3e16db1f9cb90b750aa9818a10c3c505f8791d383adb327057842ec34fdb486', 1, 1);
INSERT INTO object VALUES (77, X'b8c930d6185d8844f78f217b8ad6c7dc736976189202e84f2d6ee11e59db2e25', X'e8d9c4c299a9f0d8ae473948b189745c6915f457f8a6ca3e306f61162b030af6', 1, 1);
INSERT INTO object VALUES (77, X'be05e14c182d01ca3599cd1f8c4ac3e923ebe5252fcfa86d8039e965359f10e0', X'', 1, 1);
INSERT INTO object VALUES (77, X'd3e16db1f9cb90b750aa9818a10c3c505f8791d383adb327057842ec34fdb486', X'be05e14c182d01ca3599cd1f8c4ac3e923ebe5252fcfa86d8039e965359f10e0', 1, 1);
INSERT INTO object VALUES (77, X'df5179ea43a8df96a2fc68626942e9cf6cd9eb6ae5bf98a5d09dedf5a7c1fc49', X'', 1, 1);
INSERT INTO object VALUES (77, X'e8d9c4c299a9f0d8ae473948b189745c6915f457f8a6ca3e306f61162b030af6', X'4ef107adf6f40f08084cea7b8f0494526631a02c002cd790ab0485c873bf7e71', 1, 1);
INSERT INTO object VALUES (77, X'ec993a8ea01159c65f5eb57c80f652329ad5557cbf554691146db3719e29c659', X'', 1, 1);
INSERT INTO object VALUES (77, X'fd69862ac480f51b11590350faab22971cd6bc8cd8ddbec7ad86e63eab7f14a4', X'ec993a8ea01159c65f5eb57c80f652329ad5557cbf554691146db3719e29c659', 0, 1);
CREATE TABLE awaited (
    run INTEGER NOT NULL,
    object BLOB NOT NULL,
    message BLOB NOT NULL,
    PRIMARY KEY (run, object, message)
) STRICT, WITHOUT ROWID;
INSERT INTO awaited VALUES (77, X'2162ae3a6c7f7c7a7cba81b506c965129b7546500db0ed4052fed9f316d5449a', X'2162ae3a6c7f7c7a7cba81b506c965129b7546500db0ed4052fed9f316d5449a');
INSERT INTO awaited VALUES (77, X'fd69862ac480f51b11590350faab22971cd6bc8cd8ddbec7ad86e63eab7f14a4', X'2162ae3a6c7f7c7a7cba81b506c965129b7546500db0ed4052fed9f316d5449a');
CREATE TABLE log (
    run INTEGER NOT NULL,
    at REAL NOT NULL,
    text TEXT NOT NULL
) STRICT;
INSERT INTO log VALUES (76, 1758000000.0, 'round 1: accuracy 0.9
');
INSERT INTO log VALUES (77, 1758000000.0, 'round 1: accuracy 0.9
');
CREATE UNIQUE INDEX log_place ON log (run, at);
CREATE INDEX run_finished ON run (finished_at, id) WHERE finished_at IS NOT NULL;
CREATE INDEX run_pending ON run (pending_at, id) WHERE phase = 'pending';
CREATE TABLE "node" (
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
, name TEXT, location TEXT, release TEXT, certificate TEXT, next_key TEXT) STRICT;
INSERT INTO node VALUES (5, 'ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBLkcTJIWLT1iHyCom39dvNgZ2M3iD9ufOnvYN5LFqR9Xzik4VkxdGjpewZMgjCNJIydC8ZSgfKAZTcShRQaLlb4Xj+1hGHwfl4FaJN+/qA9faRdz53Vuez96CMIcZMuP5Q==', NULL, '', 1, 0, 1758000000.0, 1758000000.0, NULL, NULL, 1758000060.0, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE UNIQUE INDEX node_key ON node (key) WHERE unregistered_at IS NULL;
CREATE TABLE task (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    kind TEXT NOT NULL,                  -- serverapp
    token BLOB UNIQUE,
    claimed_at REAL,                     -- when the token was issued
    host TEXT,                           -- the machine of the process, if one is noted
    pid INTEGER,
    started TEXT                         -- which of all processes that had the pid
, holder TEXT) STRICT;
INSERT INTO task VALUES (76, 76, 'serverapp', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO task VALUES (77, 77, 'serverapp', NULL, NULL, NULL, NULL, NULL, NULL);
CREATE INDEX task_run ON task (run);
CREATE INDEX task_claimed ON task (claimed_at) WHERE claimed_at IS NOT NULL;
CREATE INDEX task_process ON task (run) WHERE pid IS NOT NULL;
CREATE TABLE node_certificate (
    owner TEXT PRIMARY KEY               -- the subject, or the names where the subject is empty
) STRICT, WITHOUT ROWID;
CREATE TABLE node_dismissed (
    key TEXT PRIMARY KEY,                      -- OpenSSH public key
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE join_token (
    id BLOB PRIMARY KEY,
    secret BLOB NOT NULL,                -- SHA-256 of the secret
    owner TEXT NOT NULL,                 -- the account that made the token, or empty
    name TEXT,                           -- what people call the node
    address TEXT NOT NULL,
    issued_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    uses INTEGER NOT NULL,               -- how many nodes may join
    revoked_at REAL
) STRICT, WITHOUT ROWID;
CREATE TABLE join_token_use (
    token BLOB NOT NULL,
    key TEXT NOT NULL,                   -- OpenSSH public key
    node INTEGER NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (token, key)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX node_next_key ON node (next_key)
    WHERE next_key IS NOT NULL AND unregistered_at IS NULL;
CREATE TABLE metric_point (
    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    round INTEGER NOT NULL,
    type TEXT NOT NULL,                  -- of the instruction
    node INTEGER NOT NULL,
    source TEXT NOT NULL,                -- app, superlink
    name TEXT NOT NULL,
    value REAL                           -- NULL: not a number
) STRICT;
CREATE INDEX metric_point_round ON metric_point (run, round);
CREATE TABLE metric_total (
    run INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    round INTEGER NOT NULL,
    type TEXT NOT NULL,
    source TEXT NOT NULL,
    name TEXT NOT NULL,
    least REAL,
    most REAL,
    mean REAL,
    weight REAL NOT NULL,                -- the sum of the examples
    replies INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    PRIMARY KEY (run, round, type, source, name)
) STRICT, WITHOUT ROWID;
