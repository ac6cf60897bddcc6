-- From where the holder of a task's token calls: an `Origin` as text. Valid with the token only.
ALTER TABLE task ADD COLUMN holder TEXT;
