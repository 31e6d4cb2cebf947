/* pool_env: the environment of every worker: the daemon's, and the number of
 * BLAS threads, which must be there before BLAS is loaded. */
#ifndef DAEMON_POOL_ENV_H
#define DAEMON_POOL_ENV_H

/* A list for uv_spawn, ended by NULL. Owned; release by pool_env_free. */
char **pool_env_new(int threads);
void pool_env_free(char **env);

#endif
