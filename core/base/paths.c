#include "core/base/paths.h"
#include "core/base/mem.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

char *paths_study_dir(const char *state_dir, int64_t study_id)
{
    return mem_printf("%s/checkpoints/%" PRId64, state_dir, study_id);
}

char *paths_trial_dir(const char *state_dir, int64_t study_id, int64_t number)
{
    return mem_printf("%s/checkpoints/%" PRId64 "/%" PRId64, state_dir,
                      study_id, number);
}

char *paths_trial_file(const char *state_dir, int64_t study_id, int64_t number,
                       const char *file)
{
    return mem_printf("%s/checkpoints/%" PRId64 "/%" PRId64 "/%s", state_dir,
                      study_id, number, file);
}

char *paths_prepare_log(const char *state_dir, int64_t study_id)
{
    return mem_printf("%s/checkpoints/%" PRId64 "/%s", state_dir, study_id,
                      PATHS_PREPARE_LOG);
}

char *paths_tb_study_dir(const char *state_dir, int64_t study_id)
{
    return mem_printf("%s/tb/%" PRId64, state_dir, study_id);
}

char *paths_tb_trial_dir(const char *state_dir, int64_t study_id,
                         int64_t number)
{
    return mem_printf("%s/tb/%" PRId64 "/%" PRId64, state_dir, study_id,
                      number);
}

bool paths_is_file_name(const char *file)
{
    return file[0] != '\0' && file[0] != '.' && strchr(file, '/') == NULL &&
           strlen(file) <= PATHS_FILE_NAME_MAX;
}

char *paths_in_state(const char *state_dir, const char *name)
{
    return mem_printf("%s/%s", state_dir, name);
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL   ? mem_strdup(".")
           : slash == path ? mem_strdup("/")
                           : mem_strndup(path, (size_t)(slash - path));
}

char *paths_state_of_db(const char *db)
{
    char *real = realpath(db, NULL);
    char *folder = folder_of(real != NULL ? real : db);
    const char *slash = strrchr(folder, '/');
    if (slash != NULL && strcmp(slash + 1, PATHS_BACKUPS) == 0) {
        char *backups = folder;
        folder = folder_of(backups);
        free(backups);
    }
    free(real);
    return folder;
}

char *paths_default_state(void)
{
    const char *own = getenv("PARZEN_STATE");
    if (own != NULL && own[0] != '\0') {
        return mem_strdup(own);
    }
    const char *xdg = getenv("XDG_STATE_HOME");
    if (xdg != NULL && xdg[0] != '\0') {
        return mem_printf("%s/parzen", xdg);
    }
    const char *home = getenv("HOME");
    return home != NULL && home[0] != '\0'
               ? mem_printf("%s/.local/state/parzen", home)
               : NULL;
}
