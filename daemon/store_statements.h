/* store_statements: every statement of the hot path, prepared once. */
#ifndef DAEMON_STORE_STATEMENTS_H
#define DAEMON_STORE_STATEMENTS_H

/* X(NAME, "sql") */
#define STORE_STATEMENTS(X)                                                    \
    X(BEGIN, "BEGIN IMMEDIATE")                                                \
    X(COMMIT, "COMMIT")                                                        \
    X(DATA_VERSION, "PRAGMA data_version")                                     \
    X(LAST_LIFE, "SELECT max(life) FROM parzen_lives")                         \
    X(BEGIN_LIFE, "INSERT INTO parzen_lives VALUES (?, ?, NULL)")              \
    X(PROBE_LIFE, "UPDATE parzen_lives SET ended_ms = NULL WHERE life = ?")    \
    X(END_LIFE, "UPDATE parzen_lives SET ended_ms = ?2 WHERE life = ?1")       \
    X(EVENT, "INSERT INTO parzen_events VALUES (?, ?, ?, ?, ?, ?, ?, ?)")      \
    X(STUDY, "INSERT INTO studies VALUES (?, ?)")                              \
    X(DIRECTION, "INSERT INTO study_directions (direction, study_id,"          \
                 " objective) VALUES (?, ?, 0)")                               \
    X(METRIC_NAMES, "INSERT INTO study_system_attributes (study_id, key,"      \
                    " value_json) VALUES (?, 'study:metric_names', ?)")        \
    X(CONFIG, "INSERT INTO parzen_configs VALUES"                              \
              " (?1, ?2, ?3, ?4, 'running', NULL, ?5, 0, ?5, '', 0, 0, 0, 0)") \
    X(SET_SPEC, "UPDATE parzen_configs SET seq = ?2, spec = ?3"                \
                " WHERE study_id = ?1")                                        \
    X(SET_CHOICES,                                                             \
      "UPDATE trial_params SET distribution_json = ?3 WHERE param_name = ?2"   \
      " AND trial_id IN (SELECT trial_id FROM trials WHERE study_id = ?1)")    \
    X(SET_STUDY,                                                               \
      "UPDATE parzen_configs SET seq = ?2, state = ?3, reason = ?4,"           \
      " active_ms = ?5, running_since_ms = ?6 WHERE study_id = ?1")            \
    X(SET_TARGET, "UPDATE parzen_configs SET seq = ?2, n_trials = ?3"          \
                  " WHERE study_id = ?1")                                      \
    X(SET_DATA, "UPDATE parzen_configs SET seq = ?2, data_sha256 = ?3,"        \
                " n_classes = ?4, n_train = ?5, n_val = ?6, n_test = ?7"       \
                " WHERE study_id = ?1")                                        \
    X(DROP_IMPORTANCES, "DELETE FROM parzen_importances"                       \
                        " WHERE study_id = ? AND evaluator = ?")               \
    X(IMPORTANCE, "INSERT INTO parzen_importances VALUES (?, ?, ?, ?, ?)")     \
    X(TRIAL, "INSERT INTO trials VALUES (?, ?, ?, 'WAITING', NULL, NULL)")     \
    X(TRIAL_EXTRA, "INSERT INTO parzen_trials VALUES"                          \
                   " (?1, ?2, 0, ?4, NULL, ?5, ?3, -1, 0, 0,"                  \
                   " NULL, NULL, NULL, NULL)")                                 \
    X(FIXED, "INSERT INTO trial_system_attributes (trial_id, key, value_json)" \
             " VALUES (?, 'fixed_params', ?)")                                 \
    X(START, "UPDATE trials SET state = 'RUNNING', datetime_start ="           \
             " coalesce(datetime_start, ?2)"                                   \
             " WHERE trial_id = ?1 AND state = 'WAITING'")                     \
    X(START_EXTRA, "UPDATE parzen_trials SET seq = ?2, attempt = ?3"           \
                   " WHERE trial_id = ?1")                                     \
    X(ATTEMPT, "INSERT INTO parzen_attempts VALUES (?, ?, ?, NULL, NULL,"      \
               " NULL, ?)")                                                    \
    X(PARAM, "INSERT INTO trial_params (trial_id, param_name, param_value,"    \
             " distribution_json) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO"      \
             " UPDATE SET param_value = ?3, distribution_json = ?4")           \
    X(EPOCH, "INSERT INTO parzen_epochs VALUES (?, ?, ?, ?, ?, ?, ?, ?)")      \
    X(INTERMEDIATE, "INSERT INTO trial_intermediate_values (trial_id, step,"   \
                    " intermediate_value, intermediate_value_type)"            \
                    " VALUES (?, ?, ?, ?)")                                    \
    X(RUNG, "INSERT INTO trial_system_attributes (trial_id, key, value_json)"  \
            " VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET value_json = ?3")  \
    X(REWIND_EPOCHS, "DELETE FROM parzen_epochs WHERE trial_id = ?"            \
                     " AND epoch >= ?")                                        \
    X(REWIND_STEPS, "DELETE FROM trial_intermediate_values"                    \
                    " WHERE trial_id = ? AND step >= ?")                       \
    X(REWIND_RUNGS, "DELETE FROM trial_system_attributes"                      \
                    " WHERE trial_id = ?1 AND key GLOB 'completed_rung_*'"     \
                    " AND NOT EXISTS (SELECT 1 FROM trial_intermediate_values" \
                    " WHERE trial_id = ?1)")                                   \
    X(DROP_STEPS, "DELETE FROM trial_intermediate_values WHERE trial_id = ?")  \
    X(SET_FIXED, "UPDATE parzen_trials SET fixed = ?2 WHERE trial_id = ?1")    \
    X(TOUCH, "UPDATE parzen_trials SET seq = ?2 WHERE trial_id = ?1")          \
    X(CHECKPOINT, "INSERT OR REPLACE INTO parzen_checkpoints VALUES"           \
                  " (?, ?, ?, ?, ?, ?, ?)")                                    \
    X(SHIFT_LAST, "UPDATE OR REPLACE parzen_checkpoints SET kind = 'previous'" \
                  " WHERE trial_id = ? AND kind = 'last'")                     \
    X(DISCARD, "DELETE FROM parzen_checkpoints"                                \
               " WHERE trial_id = ? AND file = ?")                             \
    X(PROMOTE, "UPDATE parzen_checkpoints SET kind = 'last'"                   \
               " WHERE trial_id = ?1 AND kind = 'previous' AND NOT EXISTS"     \
               " (SELECT 1 FROM parzen_checkpoints"                            \
               " WHERE trial_id = ?1 AND kind = 'last')")                      \
    X(PUT_BACK, "UPDATE trials SET state = 'WAITING'"                          \
                " WHERE trial_id = ? AND state = 'RUNNING'")                   \
    X(FINISH, "UPDATE trials SET state = ?2, datetime_complete = ?3"           \
              " WHERE trial_id = ?1 AND state = 'RUNNING'")                    \
    X(END_EXTRA,                                                               \
      "UPDATE parzen_trials SET seq = ?2, cause = ?3, message = ?4,"           \
      " place = ?5, n_at_place = ?6 WHERE trial_id = ?1")                      \
    X(FINISH_EXTRA,                                                            \
      "UPDATE parzen_trials SET seq = ?2, cause = ?3, message = ?4,"           \
      " place = ?5, n_at_place = ?6, best_epoch = ?7, end_digest = ?8,"        \
      " params_digest = ?9, reports_digest = ?10, constraints_digest = ?11"    \
      " WHERE trial_id = ?1")                                                  \
    X(GIVE_DIGEST, "UPDATE parzen_trials SET end_digest = ?2,"                 \
                   " params_digest = ?3, reports_digest = ?4,"                 \
                   " constraints_digest = ?5 WHERE trial_id = ?1")             \
    X(DROP_LAST, "DELETE FROM parzen_checkpoints"                              \
                 " WHERE trial_id = ? AND kind <> 'best'")                     \
    X(END_ATTEMPT, "UPDATE parzen_attempts SET ended_ms = ?2, cause = ?3,"     \
                   " message = ?4 WHERE trial_id = ?1 AND ended_ms IS NULL")   \
    X(VALUE, "INSERT INTO trial_values (trial_id, objective, value,"           \
             " value_type) VALUES (?, 0, ?, ?)")                               \
    X(ATTRIBUTE, "INSERT INTO trial_user_attributes (trial_id, key,"           \
                 " value_json) VALUES (?1, ?2, ?3)"                            \
                 " ON CONFLICT DO UPDATE SET value_json = ?3")                 \
    X(BEST_FILE, "SELECT file FROM parzen_checkpoints"                         \
                 " WHERE trial_id = ? ORDER BY kind LIMIT 1")                  \
    X(RETRY, "UPDATE trials SET state = 'WAITING', datetime_complete = NULL"   \
             " WHERE trial_id = ? AND state = 'FAIL'")                         \
    X(RETRY_EXTRA, "UPDATE parzen_trials SET seq = ?2, cause = 'none',"        \
                   " message = NULL, best_epoch = -1, place = -1,"             \
                   " n_at_place = 0, end_digest = NULL, params_digest = NULL," \
                   " reports_digest = NULL, constraints_digest = NULL"         \
                   " WHERE trial_id = ?1")                                     \
    X(RETRY_ATTRIBUTES, "DELETE FROM trial_user_attributes WHERE trial_id = ?" \
                        " AND key IN ('best_ckpt', 'epoch', 'val-loss',"       \
                        " 'cause', 'peak_bytes', 'planned_bytes',"             \
                        " 'peak_of_worker')")                                  \
    X(FLAG, "UPDATE parzen_trials SET seq = ?2, nondeterministic = 1"          \
            " WHERE trial_id = ?1")

enum store_statement {
#define X(name, sql) STORE_##name,
    STORE_STATEMENTS(X)
#undef X
        STORE_N_STATEMENTS
};

#endif
