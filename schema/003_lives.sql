-- Lives of the daemon, one row a start. Every write transaction looks whether
-- its own is still the last one: a daemon that was paused while another took
-- its state folder over writes not a word more. (Reliability's "epoch"; epochs
-- are of trainings here.)

CREATE TABLE parzen_lives (
    life INTEGER PRIMARY KEY NOT NULL, -- 1 is the first
    started_ms INTEGER NOT NULL,
    ended_ms INTEGER                   -- NULL: it goes on, or was killed
);

-- Which life wrote it; 0: before they were counted.
ALTER TABLE parzen_attempts ADD COLUMN life INTEGER NOT NULL DEFAULT 0;
ALTER TABLE parzen_events ADD COLUMN life INTEGER NOT NULL DEFAULT 0;
