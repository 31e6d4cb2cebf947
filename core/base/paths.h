/* paths: where things are in the state directory (two programs need them).
 * Files are named by numbers alone: a study's name never becomes a path. */
#ifndef CORE_BASE_PATHS_H
#define CORE_BASE_PATHS_H
#include <stdbool.h>
#include <stdint.h>

enum { PATHS_FILE_NAME_MAX = 255 };

/* A trial's last checkpoint that was found damaged, put aside. */
#define PATHS_DAMAGED "checkpoint.corrupt"

/* Each returns a new string. STATE/checkpoints/STUDY_ID, .../NUMBER, and a
 * file of the trial (a checkpoint's name, or "log"). */
char *paths_study_dir(const char *state_dir, int64_t study_id);
char *paths_trial_dir(const char *state_dir, int64_t study_id, int64_t number);
char *paths_trial_file(const char *state_dir, int64_t study_id, int64_t number,
                       const char *file);
/* STATE/checkpoints/STUDY_ID/prepare.log: what the preparations of its data set
 * had to say. */
#define PATHS_PREPARE_LOG "prepare.log"
char *paths_prepare_log(const char *state_dir, int64_t study_id);
/* STATE/tb/STUDY_ID and .../NUMBER: TensorBoard logs. */
char *paths_tb_study_dir(const char *state_dir, int64_t study_id);
char *paths_tb_trial_dir(const char *state_dir, int64_t study_id,
                         int64_t number);
/* May a trial's file have this name? It leads out of no folder. */
bool paths_is_file_name(const char *file);
/* STATE/NAME, for "parzen.db", "sock", "token", "lock", "log", "cache". */
char *paths_in_state(const char *state_dir, const char *name);
/* STATE of a database's file: the folder that it is in, links followed; of one
 * in STATE/backups the folder above. */
#define PATHS_BACKUPS "backups"
char *paths_state_of_db(const char *db);
/* What is asked for: --state, else $PARZEN_STATE, else
 * $XDG_STATE_HOME/parzen, else ~/.local/state/parzen. NULL without a home. */
char *paths_default_state(void);

#endif
