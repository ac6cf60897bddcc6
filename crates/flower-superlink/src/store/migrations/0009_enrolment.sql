-- What a person says of a node when registering it, and what was last seen of the node.
ALTER TABLE node ADD COLUMN name TEXT;
ALTER TABLE node ADD COLUMN location TEXT;     -- degrees of latitude and longitude
ALTER TABLE node ADD COLUMN release TEXT;      -- the release of Flower that the node told
ALTER TABLE node ADD COLUMN certificate TEXT;  -- the subject of the certificate that the node showed

-- Keys of nodes that a person has unregistered. A list does not let them in, until a person
-- registers them again.
CREATE TABLE node_dismissed (
    key TEXT PRIMARY KEY,                      -- OpenSSH public key
    at REAL NOT NULL
) STRICT, WITHOUT ROWID;
