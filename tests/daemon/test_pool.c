/* The pool against workers that live, die, lie and hang. */
#include "daemon/pool.h"
#include "core/base/build.h"
#include "core/base/log.h"
#include "core/wire/msg.h"
#include "tests/lib/fake_worker.h"
#include "tests/lib/test_main.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

struct seen { /* by the pool's owner */
    uv_loop_t loop;
    struct pool *pool;
    int n_idle, n_msgs, n_gone, n_done;
    enum trial_cause cause; /* of the last death */
    char message[1024], trouble[1024];
    bool closed, assign_on_idle, stop_on_gone, hang_on_idle;
    int gone_wanted;
    const char *log_path; /* of what is assigned */
};

static struct seen seen;
static char state_dir[64]; /* nobody else's */
static uv_timer_t alarm_timer;

static void on_closed(void *ctx)
{
    struct seen *s = ctx;
    s->closed = true;
    uv_close((uv_handle_t *)&alarm_timer, NULL);
}

static void finish(struct seen *s)
{
    pool_close(s->pool, 500, on_closed, s);
}

static void on_idle(void *ctx, int slot)
{
    struct seen *s = ctx;
    s->n_idle++;
    if (s->assign_on_idle) {
        struct err err;
        struct msg m = {.type = MSG_ASSIGN};
        m.assign.id = (struct trial_id){1, 2, 3};
        char *none = (char *)"";
        m.assign.cache_dir = m.assign.data_sha256 = m.assign.dir = none;
        m.assign.resume_file = m.assign.resume_sha256 = none;
        m.assign.previous_file = m.assign.previous_sha256 = none;
        m.assign.best_file = m.assign.best_sha256 = m.assign.tb_dir = none;
        ck_assert_int_eq(pool_send(s->pool, slot, &m, s->log_path, &err), 0);
    } else if (s->hang_on_idle) {
        ck_assert(!pool_has_condemned(s->pool));
        pool_kill(s->pool, slot, true);
        ck_assert(pool_has_condemned(s->pool)); /* until it is reaped */
    } else if (s->gone_wanted == 0) {
        finish(s);
    }
}

static void on_msg(void *ctx, int slot, const struct msg *m)
{
    struct seen *s = ctx;
    s->n_msgs++;
    ck_assert_int_eq(slot, 0);
    if (m->type == MSG_REPORT) {
        ck_assert_int_eq(m->report.id.number, 2);
    }
    if (m->type == MSG_DONE) {
        s->n_done++;
        finish(s);
    }
}

static void on_gone(void *ctx, int slot, enum trial_cause cause,
                    const char *message)
{
    struct seen *s = ctx;
    ck_assert_int_eq(slot, 0);
    ck_assert(!pool_has_condemned(s->pool));
    s->cause = cause;
    snprintf(s->message, sizeof(s->message), "%s", message);
    const char *trouble = pool_trouble(s->pool);
    snprintf(s->trouble, sizeof(s->trouble), "%s",
             trouble != NULL ? trouble : "");
    if (++s->n_gone == s->gone_wanted) {
        finish(s);
    }
}

static void on_alarm(uv_timer_t *t)
{
    (void)t;
    ck_abort_msg("the pool did not finish in time");
}

static void run_script(const char *script)
{
    const struct pool_hooks hooks = {
        .ctx = &seen, .on_idle = on_idle, .on_msg = on_msg, .on_gone = on_gone};
    const struct pool_options options = {.worker_path = "/proc/self/exe",
                                         .state_dir = state_dir,
                                         .n_slots = 1,
                                         .threads = 1,
                                         .hello_timeout_ms = 500};
    struct err err;
    setenv(FAKE_WORKER_ENV, script, 1);
    ck_assert_int_eq(pool_new(&seen.loop, &options, &hooks, &seen.pool, &err),
                     0);
    unsetenv(FAKE_WORKER_ENV); /* the pool copied the environment */
    uv_timer_start(&alarm_timer, on_alarm, 20000, 0);
    uv_run(&seen.loop, UV_RUN_DEFAULT);
    ck_assert(seen.closed);
}

static void setup(void)
{
    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_LEVEL_ERROR);
    seen = (struct seen){.gone_wanted = 1};
    strcpy(state_dir, "/tmp/parzen-pool-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(state_dir));
    uv_loop_init(&seen.loop);
    uv_timer_init(&seen.loop, &alarm_timer);
}

static void teardown(void)
{
    ck_assert_int_eq(uv_loop_close(&seen.loop), 0);
    ck_assert_int_eq(rmdir(state_dir), 0);
}

START_TEST(works_and_quits)
{
    seen.assign_on_idle = true;
    seen.gone_wanted = 0;
    run_script("good");
    ck_assert_int_eq(seen.n_idle, 1);
    ck_assert_int_eq(seen.n_msgs, 2);
    ck_assert_int_eq(seen.n_done, 1);
    ck_assert_int_eq(seen.n_gone, 0);
}
END_TEST

struct death {
    const char *script;
    enum trial_cause cause;
    const char *words;
};
static const struct death deaths[] = {
    {"crash", TRIAL_CAUSE_SIGNAL, "last words: something broke"},
    {"exit", TRIAL_CAUSE_EXIT, "code 3"},
    {"leave", TRIAL_CAUSE_LOST, "without a word"},
    {"garbage", TRIAL_CAUSE_PROTOCOL, ""},
    {"flood", TRIAL_CAUSE_PROTOCOL, ""},
    {"close", TRIAL_CAUSE_SIGNAL, ""},
};

START_TEST(deaths_have_causes)
{
    const struct death *d = &deaths[_i];
    seen.assign_on_idle = true;
    run_script(d->script);
    ck_assert_msg(seen.cause == d->cause, "%s: cause %s, message %s", d->script,
                  trial_cause_name(seen.cause), seen.message);
    ck_assert_msg(strstr(seen.message, d->words) != NULL, "%s: %s", d->script,
                  seen.message);
    ck_assert_int_eq(seen.n_gone, 1);
}
END_TEST

START_TEST(half_a_frame_is_a_loss)
{
    seen.assign_on_idle = true;
    run_script("half");
    ck_assert(seen.cause == TRIAL_CAUSE_LOST ||
              seen.cause == TRIAL_CAUSE_PROTOCOL);
}
END_TEST

START_TEST(no_hello_is_no_worker)
{
    run_script("mute");
    ck_assert_int_eq(seen.cause, TRIAL_CAUSE_SPAWN);
    ck_assert_int_eq(seen.n_idle, 0);
}
END_TEST

START_TEST(another_build_is_refused)
{
    run_script("other-build");
    ck_assert_int_eq(seen.cause, TRIAL_CAUSE_SPAWN);
    ck_assert_ptr_nonnull(strstr(seen.message, "another build (other,"));
    ck_assert_ptr_nonnull(strstr(seen.message, BUILD_ID));
    ck_assert_ptr_nonnull(strstr(seen.trouble, "cannot be started"));
}
END_TEST

START_TEST(a_dead_worker_is_replaced)
{
    seen.assign_on_idle = true;
    seen.gone_wanted = 2;
    run_script("exit");
    ck_assert_int_eq(seen.n_idle, 2);
    ck_assert_str_eq(seen.trouble, "");
}
END_TEST

/* With pauses between them so many deaths would outlast the alarm. */
START_TEST(deaths_of_work_do_not_keep_the_slot)
{
    seen.assign_on_idle = true;
    seen.gone_wanted = 8;
    run_script("exit");
    ck_assert_int_eq(seen.n_idle, 8);
}
END_TEST

START_TEST(what_cannot_work_is_started_with_pauses)
{
    uint64_t begin = uv_now(&seen.loop);
    seen.gone_wanted = 3;
    run_script(_i == 0 ? "other-build" : "idle-exit");
    ck_assert_int_eq(seen.n_gone, 3);
    ck_assert_uint_ge(uv_now(&seen.loop) - begin, 1000);
}
END_TEST

START_TEST(a_hanging_worker_is_ended)
{
    seen.hang_on_idle = true;
    run_script("hang");
    ck_assert_int_eq(seen.cause, TRIAL_CAUSE_HANG);
}
END_TEST

/* Of a process that had children before the pool: whose they are, and whose
 * orphans come after them, is not known. */
START_TEST(children_of_others_are_left)
{
    pid_t other = fork();
    ck_assert_int_ge(other, 0);
    if (other == 0) {
        pause();
        _exit(0);
    }
    seen.assign_on_idle = true;
    seen.gone_wanted = 3;
    run_script("exit");
    ck_assert_int_eq(waitpid(other, NULL, WNOHANG), 0);
    ck_assert_int_eq(kill(other, SIGKILL), 0);
    ck_assert_int_eq(waitpid(other, NULL, 0), other);
}
END_TEST

/* The cap is the trial's, not the attempt's; last words are never lost. */
START_TEST(a_full_log_ends_with_last_words)
{
    char path[] = "/tmp/parzen-pool-XXXXXX", end[64 << 10] = "";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, _i), 0);
    seen.assign_on_idle = true;
    seen.log_path = path;
    run_script("crash"); /* says something first */
    ssize_t n = pread(fd, end, sizeof(end) - 1, _i);
    ck_assert_int_gt(n, 0);
    ck_assert_ptr_nonnull(strstr(end, "something broke"));
    ck_assert_int_eq(strstr(end, "were dropped]") != NULL, _i > 0);
    ck_assert_int_eq(close(fd), 0);
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

START_TEST(a_missing_program_is_said)
{
    const struct pool_hooks hooks = {0};
    const struct pool_options options = {.worker_path = "/no/such/worker",
                                         .n_slots = 1};
    struct err err;
    uv_close((uv_handle_t *)&alarm_timer, NULL);
    uv_run(&seen.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(pool_new(&seen.loop, &options, &hooks, &seen.pool, &err),
                     ERR_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(err.msg, "/no/such/worker"));
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("pool");
    TCase *t = tcase_create("workers");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 30);
    tcase_add_test(t, works_and_quits);
    tcase_add_loop_test(t, deaths_have_causes, 0, (int)ARRAY_LEN(deaths));
    tcase_add_test(t, half_a_frame_is_a_loss);
    tcase_add_test(t, no_hello_is_no_worker);
    tcase_add_test(t, another_build_is_refused);
    tcase_add_test(t, a_dead_worker_is_replaced);
    tcase_add_test(t, deaths_of_work_do_not_keep_the_slot);
    tcase_add_loop_test(t, what_cannot_work_is_started_with_pauses, 0, 2);
    tcase_add_test(t, a_hanging_worker_is_ended);
    tcase_add_test(t, children_of_others_are_left);
    for (int i = 0; i < 2; i++) {
        int bytes = i * (10 << 20);
        tcase_add_loop_test(t, a_full_log_ends_with_last_words, bytes,
                            bytes + 1);
    }
    tcase_add_test(t, a_missing_program_is_said);
    suite_add_tcase(s, t);
    return s;
}
