#include "core/base/proc.h"
#include "core/base/mem.h"
#include "tests/lib/test_main.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A child that is there until it is ended. */
static pid_t child(void)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        pause();
        _exit(1);
    }
    return pid;
}

static void end(pid_t pid)
{
    siginfo_t info;
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

START_TEST(test_a_process)
{
    struct proc p;
    pid_t pid = child();
    ck_assert(proc_read(pid, &p));
    ck_assert_int_eq(p.pid, pid);
    ck_assert_int_eq(p.parent, getpid());
    ck_assert_int_ne(p.state, 'Z');
    ck_assert(proc_read(getpid(), &p));
    ck_assert_int_gt(p.memory, 100000);
    ck_assert_int_lt(p.memory, 1ll << 40);
    end(pid);
    ck_assert(proc_read(pid, &p));
    ck_assert_int_eq(p.state, 'Z');
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert(!proc_read(pid, &p));
}
END_TEST

START_TEST(test_children)
{
    pid_t pids[4], a = child(), b = child();
    ck_assert_int_eq(proc_children(pids, 4), 2);
    ck_assert(pids[0] == a && pids[1] == b);
    ck_assert_int_eq(proc_children(pids, 1), 1);
    end(a); /* the dead count until they are reaped */
    ck_assert_int_eq(proc_children(pids, 4), 2);
    ck_assert_int_eq(waitpid(a, NULL, 0), a);
    ck_assert_int_eq(proc_children(pids, 4), 1);
    ck_assert_int_eq(pids[0], b);
    end(b);
    ck_assert_int_eq(waitpid(b, NULL, 0), b);
    ck_assert_int_eq(proc_children(pids, 4), 0);
}
END_TEST

/* What parent and children share counts once for them all. */
START_TEST(test_shares)
{
    enum { N = 4, SIZE = 16 << 20 };
    pid_t pids[N];
    struct proc p;
    char *shared = mem_alloc(SIZE, 1);
    memset(shared, 1, SIZE);
    int64_t sum = 0, all = 0;
    for (int i = 0; i < N; i++) {
        pids[i] = child();
    }
    for (int i = 0; i < N; i++) {
        ck_assert(proc_read(pids[i], &p));
        all += p.memory;
        sum += proc_share(pids[i]);
    }
    sum += proc_share(getpid());
    ck_assert_int_gt(all, N * SIZE);
    ck_assert_int_gt(sum, SIZE);
    ck_assert_int_lt(sum, 2 * SIZE);
    for (int i = 0; i < N; i++) {
        end(pids[i]);
        ck_assert_int_eq(proc_share(pids[i]), 0);
        ck_assert_int_eq(waitpid(pids[i], NULL, 0), pids[i]);
        ck_assert_int_eq(proc_share(pids[i]), 0);
    }
    ck_assert_int_gt(proc_share(getpid()), SIZE);
    free(shared);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("proc");
    TCase *t = tcase_create("proc");
    tcase_add_test(t, test_a_process);
    tcase_add_test(t, test_children);
    tcase_add_test(t, test_shares);
    suite_add_tcase(s, t);
    return s;
}
