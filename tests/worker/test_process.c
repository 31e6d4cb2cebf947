/* Nothing that a program started outlives it, wherever it went: here a process
 * with a session of its own, whose parent has ended. */
#include "tests/lib/test_main.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "worker/process.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PATIENCE_MS = 60000, LARGE_MB = 60, N_CHILDREN = 4 };
/* In the environment of this program: it is to be a family. */
#define FAMILY "PARZEN_TEST_FAMILY"

static char dir[64];

static void setup(void)
{
    snprintf(dir, sizeof(dir), "/tmp/process-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void teardown(void)
{
    struct err err;
    ck_assert_int_eq(file_remove_tree(dir, &err), 0);
}

/* A daemon that does `work` and tells its pid; then the program does `then`.
 * Both have $PPID of the program, its guardian, as $GUARDIAN. */
static void start(struct process *p, const char *work, const char *then)
{
    struct err err;
    char *script = mem_printf("export GUARDIAN=$PPID\n"
                              "(setsid sh -c 'echo $$ >pid.tmp;"
                              " mv pid.tmp pid; %s' &)\n"
                              "until [ -e pid ]; do sleep 0.02; done\n%s",
                              work, then);
    char *argv[] = {(char *)"sh", (char *)"-c", script, NULL};
    ck_assert_msg(process_start(argv, environ, dir, p, &err) == 0, "%s",
                  err.msg);
    free(script);
}

static pid_t daemon_pid(void)
{
    char path[80];
    int pid = 0;
    snprintf(path, sizeof(path), "%s/pid", dir);
    for (int waited = 0; pid == 0 && waited < PATIENCE_MS; waited += 20) {
        FILE *f = fopen(path, "r");
        if (f == NULL || fscanf(f, "%d", &pid) != 1) {
            poll(NULL, 0, 20);
        }
        if (f != NULL) {
            fclose(f);
        }
    }
    ck_assert_int_gt(pid, 0);
    return pid;
}

static bool is_there(pid_t pid)
{
    return kill(pid, 0) == 0 || errno != ESRCH;
}

static void wait_for_end(struct process *p)
{
    int waited = 0;
    while (!process_has_ended(p)) {
        ck_assert_int_lt(waited += 10, PATIENCE_MS);
        poll(NULL, 0, 10);
    }
}

START_TEST(test_it_ends)
{
    struct process p;
    start(&p, "exec sleep 600", "exit 3");
    wait_for_end(&p);
    ck_assert(!p.is_lost);
    ck_assert_int_eq(WEXITSTATUS(p.status), 3);
    ck_assert(!is_there(daemon_pid()));
    process_fini(&p);
}
END_TEST

/* One that ignores every signal but the last, and has children of its own. */
START_TEST(test_it_is_killed)
{
    struct process p;
    start(&p, "trap \"\" TERM HUP; (setsid sleep 600 &); sleep 600",
          "sleep 600");
    pid_t pid = daemon_pid();
    ck_assert(is_there(pid));
    process_signal(&p, SIGKILL);
    wait_for_end(&p);
    ck_assert_int_eq(WTERMSIG(p.status), SIGKILL);
    ck_assert(!is_there(pid));
    process_fini(&p);
}
END_TEST

START_TEST(test_it_is_given_up)
{
    struct process p;
    start(&p, "exec sleep 600", "sleep 600");
    pid_t pid = daemon_pid();
    process_fini(&p);
    ck_assert(!is_there(pid));
}
END_TEST

START_TEST(test_its_guardian_is_killed)
{
    struct process p;
    start(&p, "exec sleep 600", "sleep 600");
    pid_t pid = daemon_pid();
    ck_assert_int_eq(kill(p.guardian, SIGKILL), 0);
    wait_for_end(&p);
    ck_assert(p.is_lost);
    ck_assert(!is_there(pid));
    ck_assert(!process_exceeds(&p, 0));
    process_fini(&p);
}
END_TEST

START_TEST(test_its_guardian_is_stopped)
{
    static const char *const then[] = {"kill -STOP $GUARDIAN; exit 3",
                                       "kill -STOP $GUARDIAN; sleep 1; exit 3"};
    struct process p;
    start(&p, "exec sleep 600", then[_i]);
    wait_for_end(&p);
    ck_assert(!p.is_lost);
    ck_assert_int_eq(WEXITSTATUS(p.status), 3);
    ck_assert(!is_there(daemon_pid()));
    process_fini(&p);
}
END_TEST

/* As often as it is woken: it does nothing any more. */
static const char STOPS[] = "while :; do kill -STOP $GUARDIAN; done";

START_TEST(test_its_guardian_is_kept_stopped)
{
    struct process p;
    bool ends_itself = _i != 0;
    start(&p, STOPS, ends_itself ? "exit 3" : "sleep 600");
    pid_t pid = daemon_pid();
    if (!ends_itself) {
        process_signal(&p, SIGKILL);
    }
    wait_for_end(&p);
    ck_assert(!is_there(pid));
    process_fini(&p);
}
END_TEST

START_TEST(test_with_a_stopped_guardian_it_is_given_up)
{
    struct process p;
    start(&p, _i == 0 ? "kill -STOP $GUARDIAN; exec sleep 600" : STOPS,
          "sleep 600");
    pid_t pid = daemon_pid();
    poll(NULL, 0, 100);
    process_fini(&p);
    ck_assert(!is_there(pid));
    ck_assert(!is_there(p.group));
}
END_TEST

/* With its process group, as the daemon kills a worker. */
START_TEST(test_its_worker_is_killed)
{
    struct process p;
    pid_t worker = fork();
    ck_assert_int_ge(worker, 0);
    if (worker == 0) {
        setpgid(0, 0);
        start(&p, "exec sleep 600", "sleep 600");
        pause();
    }
    pid_t pid = daemon_pid();
    ck_assert_int_eq(kill(-worker, SIGKILL), 0);
    ck_assert_int_eq(waitpid(worker, NULL, 0), worker);
    for (int waited = 0; is_there(pid); waited += 10) {
        ck_assert_int_lt(waited, PATIENCE_MS);
        poll(NULL, 0, 10);
    }
}
END_TEST

/* In so many milliseconds; it looks now and then. */
static bool exceeds_within(struct process *p, int64_t bytes, int ms)
{
    bool exceeds = false;
    for (int waited = 0; !exceeds && waited < ms; waited += 20) {
        exceeds = process_exceeds(p, bytes);
        poll(NULL, 0, 20);
    }
    return exceeds;
}

/* tail holds a line without an end, and nobody reads it. */
START_TEST(test_its_memory_is_counted)
{
    struct process p;
    char *work = mem_printf("head -c %d000000 /dev/zero | tail -n 1 |"
                            " sleep 600",
                            (int)LARGE_MB);
    start(&p, work, "sleep 600");
    ck_assert(exceeds_within(&p, LARGE_MB * 1000000, PATIENCE_MS));
    process_fini(&p);
    free(work);
}
END_TEST

/* One large process and children that share all it has, as the loaders of data
 * are that Python programs make. Each of them says a byte when it is there. */
static void NORETURN be_a_family(void)
{
    size_t size = (size_t)LARGE_MB << 20;
    char *bytes = mem_alloc(size, 1);
    memset(bytes, 1, size);
    for (int i = 0; i < N_CHILDREN && fork() != 0; i++) {
    }
    ssize_t ignored = write(STDOUT_FILENO, bytes, 1);
    (void)ignored;
    pause();
    _exit(0);
}

static void wait_for_family(const struct process *p)
{
    char bytes[1 + N_CHILDREN];
    size_t n = 0;
    for (int waited = 0; n < sizeof(bytes); waited += 20) {
        ck_assert_int_lt(waited, PATIENCE_MS);
        poll(NULL, 0, 20);
        ssize_t got = read(p->out_fd, bytes, sizeof(bytes) - n);
        n += got > 0 ? (size_t)got : 0;
    }
}

START_TEST(test_shared_memory_counts_once)
{
    struct process p;
    struct err err;
    char *argv[] = {(char *)"/proc/self/exe", NULL};
    char *env[] = {(char *)FAMILY "=1", NULL};
    int64_t large = (int64_t)LARGE_MB << 20;
    ck_assert_msg(process_start(argv, env, dir, &p, &err) == 0, "%s", err.msg);
    wait_for_family(&p);
    ck_assert(!exceeds_within(&p, 2 * large, 1000));
    ck_assert(exceeds_within(&p, large, PATIENCE_MS));
    process_fini(&p);
}
END_TEST

Suite *suite(void)
{
    if (getenv(FAMILY) != NULL) {
        be_a_family();
    }
    Suite *s = suite_create("process");
    TCase *t = tcase_create("process");
    tcase_set_timeout(t, 90);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_it_ends);
    tcase_add_test(t, test_it_is_killed);
    tcase_add_test(t, test_it_is_given_up);
    tcase_add_test(t, test_its_guardian_is_killed);
    tcase_add_loop_test(t, test_its_guardian_is_stopped, 0, 2);
    tcase_add_loop_test(t, test_its_guardian_is_kept_stopped, 0, 2);
    tcase_add_loop_test(t, test_with_a_stopped_guardian_it_is_given_up, 0, 2);
    tcase_add_test(t, test_its_worker_is_killed);
    tcase_add_test(t, test_its_memory_is_counted);
    tcase_add_test(t, test_shared_memory_counts_once);
    suite_add_tcase(s, t);
    return s;
}
