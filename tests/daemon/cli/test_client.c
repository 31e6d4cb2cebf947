/* The command line's HTTP, against a daemon whose database is held. */
#include "tests/lib/test_main.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "daemon/cli/client.h"
#include "daemon/cli/interrupt.h"
#include "tests/lib/fix_daemon.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char dir[64];
static struct fix_daemon fake;
static struct client *client;
static struct err err;

/* This program's wall clock; 0: the system's, else it is set on at each look.
 */
static time_t step_s, wall_s;

time_t time(time_t *out)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    wall_s += step_s;
    if (out != NULL) {
        *out = t.tv_sec + wall_s;
    }
    return t.tv_sec + wall_s;
}

static int busy(struct buf *body)
{
    buf_str(body, "{\"error\":{\"code\":\"BUSY\",\"message\":\"held\"}}");
    return 503;
}

static int busy_twice(const char *path, int n, struct buf *body)
{
    (void)path;
    if (n < 2) {
        return busy(body);
    }
    buf_str(body, "{}");
    return 200;
}

static int always_busy(const char *path, int n, struct buf *body)
{
    (void)path;
    (void)n;
    return busy(body);
}

static void start(fix_daemon_answer *answer)
{
    snprintf(dir, sizeof(dir), "/tmp/parzen-client-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    fix_daemon_start(&fake, dir, answer);
    ck_assert_int_eq(client_new(dir, "start it", &client, &err), 0);
}

static void stop(void)
{
    client_free(client);
    fix_daemon_stop(&fake);
    ck_assert_int_eq(file_remove_tree(dir, &err), 0);
}

/* An hour on is no reason to give up. */
START_TEST(test_the_wall_clock_is_set)
{
    struct json *reply;
    start(busy_twice);
    step_s = 3600;
    int rc = client_call(client, "GET", "/studies", NULL, NULL, &reply, &err);
    step_s = 0;
    ck_assert_msg(rc == 0, "%s", err.msg);
    ck_assert_int_eq(*fake.n_requests, 3);
    json_free(reply);
    stop();
}
END_TEST

START_TEST(test_an_interrupt_while_it_waits)
{
    struct json *reply;
    start(always_busy);
    interrupt_watch();
    pid_t self = getpid(), child = fork();
    if (child == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 600000000}, NULL);
        kill(self, SIGINT);
        _exit(0);
    }
    ck_assert_int_eq(
        client_call(client, "GET", "/studies", NULL, NULL, &reply, &err),
        ERR_CANCELED);
    ck_assert_int_lt(*fake.n_requests, 60); /* of the 120 of half a minute */
    waitpid(child, NULL, 0);
    stop();
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("client");
    TCase *t = tcase_create("client");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_the_wall_clock_is_set);
    tcase_add_test(t, test_an_interrupt_while_it_waits);
    suite_add_tcase(s, t);
    return s;
}
