/* What an earlier life left is found by its mark, and nothing else is. */
#include "daemon/pool_left.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/proc.h"
#include "tests/lib/test_main.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_FOR "TEST_LOOK_FOR"

static char dir[64], *mark;

static void setup(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    strcpy(dir, "/tmp/parzen-left-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    mark = pool_mark(dir);
}

static void teardown(void)
{
    rmdir(dir);
    free(mark);
}

/* `sleep` with this environment, once that can be seen; flags:
 * POSIX_SPAWN_SETSID or 0. */
static pid_t sleeper(const char *entry, short flags)
{
    const struct timespec nap = {.tv_nsec = 1000000};
    pid_t pid;
    char *argv[] = {(char *)"sleep", (char *)"1000", NULL};
    char *envp[] = {(char *)"A=b", (char *)entry, NULL};
    posix_spawnattr_t attr;
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, flags);
    ck_assert_int_eq(posix_spawn(&pid, "/bin/sleep", NULL, &attr, argv, envp),
                     0);
    posix_spawnattr_destroy(&attr);
    while (!proc_has_env(pid, "A=b")) {
        nanosleep(&nap, NULL);
    }
    return pid;
}

static void end(pid_t pid)
{
    int status;
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
}

START_TEST(the_mark_is_the_folders_own)
{
    char *other = mem_printf("%s/..", dir), *moved = mem_printf("%s-2", dir);
    char *of_other = pool_mark(other);
    ck_assert_str_ne(mark, of_other);
    ck_assert_int_eq(rename(dir, moved), 0);
    ck_assert_int_eq(mkdir(dir, 0700), 0);
    char *of_new = pool_mark(dir); /* the same path */
    ck_assert_str_ne(mark, of_new);
    ck_assert_int_eq(rmdir(moved), 0);
    free(of_new);
    free(of_other);
    free(moved);
    free(other);
}
END_TEST

START_TEST(only_what_is_marked_ends)
{
    char *longer = mem_printf("%s/x", mark);
    char *elsewhere = mem_printf("X%s", mark);
    const char *const others[] = {NULL, longer, elsewhere, PROC_POOL "="};
    pid_t innocent[ARRAY_LEN(others)];
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        innocent[i] = sleeper(others[i], 0);
    }
    pid_t left = sleeper(mark, _i == 0 ? 0 : POSIX_SPAWN_SETSID);
    ck_assert(proc_has_env(left, mark));
    pool_left_end(mark);
    int status;
    ck_assert_int_eq(waitpid(left, &status, 0), left);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        ck_assert_int_eq(waitpid(innocent[i], &status, WNOHANG), 0);
        ck_assert(!proc_has_env(innocent[i], mark));
        end(innocent[i]);
    }
    free(elsewhere);
    free(longer);
}
END_TEST

/* As a daemon is that was started from a shell of a trial's: this program again
 * (see suite), below a marked one. */
START_TEST(those_we_stem_from_are_spared)
{
    int status;
    char self[4096] = {0};
    ck_assert_int_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
    char *look = mem_printf(LOOK_FOR "=%s", mark);
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)"\"$0\" & wait $!",
                    self, NULL};
    char *envp[] = {mark, look, NULL};
    pid_t shell, left = sleeper(mark, POSIX_SPAWN_SETSID);
    ck_assert_int_eq(posix_spawn(&shell, "/bin/sh", NULL, NULL, argv, envp), 0);
    ck_assert_int_eq(waitpid(left, &status, 0), left); /* it did look */
    ck_assert_int_eq(waitpid(shell, &status, 0), shell);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    free(look);
}
END_TEST

/* That shell's other jobs, and the reader of what we print: they share its
 * session. */
START_TEST(what_shares_their_session_is_spared)
{
    int status;
    char self[4096] = {0};
    ck_assert_int_gt(readlink("/proc/self/exe", self, sizeof(self) - 1), 0);
    char *look = mem_printf(LOOK_FOR "=%s", mark);
    char *argv[] = {(char *)"setsid",
                    (char *)"-w",
                    (char *)"sh",
                    (char *)"-c",
                    (char *)"sleep 1000 & \"$0\" | cat >/dev/null;"
                            " setsid -w \"$0\"; kill $!",
                    self,
                    NULL};
    char *envp[] = {mark, look, NULL};
    pid_t shell, left = sleeper(mark, POSIX_SPAWN_SETSID);
    ck_assert_int_eq(
        posix_spawn(&shell, "/usr/bin/setsid", NULL, NULL, argv, envp), 0);
    ck_assert_int_eq(waitpid(left, &status, 0), left); /* it did look */
    ck_assert_int_eq(waitpid(shell, &status, 0), shell);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    free(look);
}
END_TEST

Suite *suite(void)
{
    if (getenv(LOOK_FOR) != NULL) {
        log_set_level(LOG_LEVEL_ERROR);
        pool_left_end(getenv(LOOK_FOR));
        exit(EXIT_SUCCESS);
    }
    Suite *s = suite_create("pool_left");
    TCase *t = tcase_create("pool_left");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, the_mark_is_the_folders_own);
    tcase_add_loop_test(t, only_what_is_marked_ends, 0, 2);
    tcase_add_test(t, those_we_stem_from_are_spared);
    tcase_add_test(t, what_shares_their_session_is_spared);
    suite_add_tcase(s, t);
    return s;
}
