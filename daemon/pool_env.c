#include "daemon/pool_env.h"
#include "core/base/base.h"
#include "core/base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has_name_of(const char *entry, const char *other)
{
    return strncmp(entry, other, strcspn(other, "=") + 1) == 0;
}

char **pool_env_new(int threads, const char *mark)
{
    char *const ours[] = {mem_printf("OPENBLAS_NUM_THREADS=%d", threads),
                          mem_printf("OMP_NUM_THREADS=%d", threads),
                          mem_strdup(mark)};
    size_t n = 0;
    while (environ[n] != NULL) {
        n++;
    }
    char **env = mem_alloc(n + ARRAY_LEN(ours) + 1, sizeof(*env));
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        bool replaced = false;
        for (size_t k = 0; k < ARRAY_LEN(ours); k++) {
            replaced |= has_name_of(environ[i], ours[k]);
        }
        if (!replaced) {
            env[at++] = mem_strdup(environ[i]);
        }
    }
    memcpy(&env[at], ours, sizeof(ours));
    return env;
}

void pool_env_free(char **env)
{
    for (char **e = env; *e != NULL; e++) {
        free(*e);
    }
    free(env);
}
