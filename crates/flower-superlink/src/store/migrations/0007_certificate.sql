-- The owners of the certificates by which nodes were seen: these certificates open no port for people.
CREATE TABLE node_certificate (
    owner TEXT PRIMARY KEY               -- the subject, or the names where the subject is empty
) STRICT, WITHOUT ROWID;
