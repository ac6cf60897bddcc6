-- Tokens by which nodes join.
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

-- The nodes that joined, each with the key that it had then.
CREATE TABLE join_token_use (
    token BLOB NOT NULL,
    key TEXT NOT NULL,                   -- OpenSSH public key
    node INTEGER NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (token, key)
) STRICT, WITHOUT ROWID;

-- The key that the node has from the first call on that it makes with that key.
ALTER TABLE node ADD COLUMN next_key TEXT;
CREATE UNIQUE INDEX node_next_key ON node (next_key)
    WHERE next_key IS NOT NULL AND unregistered_at IS NULL;
