/* pool_env: the environment of every worker: the daemon's, the number of BLAS
 * threads, which must be there before BLAS is loaded, and the pool's mark. */
#ifndef DAEMON_POOL_ENV_H
#define DAEMON_POOL_ENV_H

/* A list for uv_spawn, ended by NULL. mark: as pool_mark gives it. Owned;
 * release by pool_env_free. */
char **pool_env_new(int threads, const char *mark);
void pool_env_free(char **env);

#endif
