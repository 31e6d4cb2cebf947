-- A trial keeps the checkpoint before its last one: when the last is damaged,
-- it goes on from there. SQLite cannot widen a CHECK: the table is made anew.
CREATE TABLE parzen_checkpoints_wider (
    trial_id INTEGER NOT NULL REFERENCES trials (trial_id),
    kind TEXT NOT NULL CHECK (kind IN ('last', 'previous', 'best')),
    epoch INTEGER NOT NULL,
    step INTEGER NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    file TEXT NOT NULL,          -- in checkpoints/STUDY_ID/NUMBER/
    PRIMARY KEY (trial_id, kind)
) WITHOUT ROWID;
INSERT INTO parzen_checkpoints_wider SELECT * FROM parzen_checkpoints;
DROP TABLE parzen_checkpoints;
ALTER TABLE parzen_checkpoints_wider RENAME TO parzen_checkpoints;
