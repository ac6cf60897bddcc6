-- The account that started a run (OIDC `sub`), or empty where nobody signs in.
ALTER TABLE run ADD COLUMN account TEXT NOT NULL DEFAULT '';
