-- Our own tables, beside Optuna's: what a study asked for, what became of its
-- trials, and a log of every durable decision. Append only, as 001.
--
-- Times here are UTC milliseconds; 0 means "not yet". A metric that is NaN is
-- NULL; infinities are SQLite's own REAL infinities.

-- What Optuna's `studies` cannot hold. A study without a row here was made by
-- Optuna itself.
CREATE TABLE parzen_configs (
    study_id INTEGER PRIMARY KEY NOT NULL REFERENCES studies (study_id),
    seq INTEGER NOT NULL,        -- of the last event that changed the study
    spec TEXT NOT NULL,          -- the config, canonical JSON, as it was made
    n_trials INTEGER NOT NULL,   -- the target now; overrides the spec's
    state TEXT NOT NULL,         -- running, paused, stopped, finished, failed
    reason TEXT,
    created_ms INTEGER NOT NULL,
    active_ms INTEGER NOT NULL,  -- time in `running` before running_since_ms
    running_since_ms INTEGER NOT NULL,
    data_sha256 TEXT NOT NULL,   -- of the prepared data set; '' before that
    n_classes INTEGER NOT NULL,
    n_train INTEGER NOT NULL,
    n_val INTEGER NOT NULL,
    n_test INTEGER NOT NULL
);

-- What Optuna's `trials` cannot hold.
CREATE TABLE parzen_trials (
    trial_id INTEGER PRIMARY KEY NOT NULL REFERENCES trials (trial_id),
    seq INTEGER NOT NULL,        -- of the last event that changed the trial
    attempt INTEGER NOT NULL,    -- last started, 0: none yet
    cause TEXT NOT NULL,         -- of the last attempt's end
    message TEXT,                -- its sentence
    best_epoch INTEGER NOT NULL, -- -1: none
    fixed TEXT,                  -- enqueued values: JSON array in the space's
                                 -- order, internal values, null where free
    place INTEGER NOT NULL,      -- epoch reached at the last death, -1: none
    n_at_place INTEGER NOT NULL, -- deaths there in a row
    nondeterministic INTEGER NOT NULL
);

CREATE TABLE parzen_attempts (
    trial_id INTEGER NOT NULL REFERENCES trials (trial_id),
    attempt INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms INTEGER,            -- NULL while it runs
    cause TEXT,
    message TEXT,
    PRIMARY KEY (trial_id, attempt)
) WITHOUT ROWID;

CREATE TABLE parzen_epochs (
    trial_id INTEGER NOT NULL REFERENCES trials (trial_id),
    epoch INTEGER NOT NULL,      -- 0 is the first
    attempt INTEGER NOT NULL,    -- that first reported it
    train_loss REAL,
    train_acc REAL,
    val_loss REAL,
    val_acc REAL,
    test_acc REAL,
    PRIMARY KEY (trial_id, epoch)
) WITHOUT ROWID;

CREATE TABLE parzen_checkpoints (
    trial_id INTEGER NOT NULL REFERENCES trials (trial_id),
    kind TEXT NOT NULL CHECK (kind IN ('last', 'best')),
    epoch INTEGER NOT NULL,
    step INTEGER NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    file TEXT NOT NULL,          -- in checkpoints/STUDY_ID/NUMBER/
    PRIMARY KEY (trial_id, kind)
) WITHOUT ROWID;

CREATE TABLE parzen_importances (
    study_id INTEGER NOT NULL REFERENCES studies (study_id),
    evaluator TEXT NOT NULL,
    param TEXT NOT NULL,
    importance REAL NOT NULL,
    n_trials INTEGER NOT NULL,   -- finished trials it was computed from
    PRIMARY KEY (study_id, evaluator, param)
) WITHOUT ROWID;

-- The audit log: one row per durable action. A deleted study leaves one row,
-- its DELETE_STUDY; so study_id refers to nothing.
CREATE TABLE parzen_events (
    seq INTEGER PRIMARY KEY NOT NULL,
    at_ms INTEGER NOT NULL,
    study_id INTEGER NOT NULL,
    number INTEGER,              -- of the trial, where one is concerned
    attempt INTEGER,
    kind TEXT NOT NULL,
    detail TEXT
);

-- Ids of deleted studies and trials are never given out again: their folders
-- of checkpoints may outlive them by a crash.
CREATE TABLE parzen_next_ids (
    name TEXT PRIMARY KEY NOT NULL,
    value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO parzen_next_ids VALUES ('study', 1), ('trial', 1);
