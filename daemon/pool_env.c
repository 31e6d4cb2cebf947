#include "daemon/pool_env.h"
#include "core/base/base.h"
#include "core/base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char **pool_env_new(int threads)
{
    static const char *const ours[] = {"OPENBLAS_NUM_THREADS=",
                                       "OMP_NUM_THREADS="};
    size_t n = 0;
    while (environ[n] != NULL) {
        n++;
    }
    char **env = mem_alloc(n + ARRAY_LEN(ours) + 1, sizeof(*env));
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        bool replaced = false;
        for (size_t k = 0; k < ARRAY_LEN(ours); k++) {
            replaced |= strncmp(environ[i], ours[k], strlen(ours[k])) == 0;
        }
        if (!replaced) {
            env[at++] = mem_strdup(environ[i]);
        }
    }
    for (size_t k = 0; k < ARRAY_LEN(ours); k++) {
        env[at++] = mem_printf("%s%d", ours[k], threads);
    }
    return env;
}

void pool_env_free(char **env)
{
    for (char **e = env; *e != NULL; e++) {
        free(*e);
    }
    free(env);
}
