#include "tests/lib/home_study.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "daemon/store.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

long home_env(const char *name, long absent)
{
    const char *text = getenv(name);
    return text != NULL && text[0] != '\0' ? strtol(text, NULL, 10) : absent;
}

/* --- requests --- */

static int connect_to(const struct home *h)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof(to.sun_path), "%.90s/sock", h->state);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = 30};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool send_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

static void read_reply(int fd, struct buf *out)
{
    char piece[4096];
    ssize_t n;
    while ((n = read(fd, piece, sizeof(piece))) > 0 ||
           (n < 0 && errno == EINTR)) {
        if (n > 0) {
            buf_add(out, piece, (size_t)n);
        }
    }
}

int home_http(const struct home *h, const char *method, const char *path,
              const char *body, char **reply)
{
    struct buf b;
    int fd = connect_to(h), status = 0;
    buf_init(&b, 64 << 20);
    buf_printf(&b,
               "%s /api/v1%s HTTP/1.1\r\nHost: localhost\r\n"
               "Connection: close\r\nContent-Type: application/json\r\n"
               "Content-Length: %zu\r\n\r\n%s",
               method, path, body != NULL ? strlen(body) : 0,
               body != NULL ? body : "");
    bool sent = fd >= 0 && send_all(fd, b.data, b.len);
    buf_reset(&b);
    if (sent) {
        read_reply(fd, &b);
    }
    if (fd >= 0) {
        close(fd);
    }
    const char *end = b.len > 0 ? strstr(b.data, "\r\n\r\n") : NULL;
    if (end != NULL) {
        sscanf(b.data, "HTTP/%*s %d", &status);
    }
    if (reply != NULL) {
        *reply = mem_strdup(end != NULL ? end + 4 : "");
    }
    buf_fini(&b);
    return status;
}

static char *slurp(const char *path)
{
    struct err err;
    char *text;
    size_t n;
    ck_assert_msg(file_load(path, 64 << 20, &text, &n, &err) == 0, "%s",
                  err.msg);
    return text;
}

void home_post(const struct home *h, const char *config_path)
{
    char *config = slurp(config_path), *reply;
    int status = home_http(h, "POST", "/studies", config, &reply);
    ck_assert_msg(status == 201 || status == 200, "POST %s: %d %s", config_path,
                  status, reply);
    free(config);
    free(reply);
}

void home_wait_state(const struct home *h, const char *study, const char *state,
                     int timeout_s)
{
    char *sql = mem_printf("SELECT count(*) FROM parzen_configs JOIN studies "
                           "USING (study_id) WHERE study_name = '%s' AND "
                           "state = '%s'",
                           study, state);
    if (!home_wait(h, sql, 1, 1000 * timeout_s)) {
        char *now = home_sql(h, "SELECT study_name, state, reason FROM "
                                "parzen_configs JOIN studies USING (study_id)");
        char *trials = home_sql(h, "SELECT state, count(*) FROM trials "
                                   "GROUP BY 1");
        ck_abort_msg("study %s is not %s after %d s: %s%s", study, state,
                     timeout_s, now, trials);
    }
    free(sql);
}

/* --- the command line --- */

char *home_expect(const struct home *h, int code, const char *says,
                  const char *const *args)
{
    struct outcome o = home_cli(h, 120, args);
    ck_assert_msg(o.code == code, "parzen %s %s: exit %d, expected %d: %s%s",
                  args[0], args[1] != NULL ? args[1] : "", o.code, code, o.out,
                  o.err);
    ck_assert_msg(says == NULL || strstr(o.err, says) != NULL ||
                      strstr(o.out, says) != NULL,
                  "parzen %s %s: does not say \"%s\": %s%s", args[0],
                  args[1] != NULL ? args[1] : "", says, o.out, o.err);
    char *out = o.out;
    o.out = NULL;
    outcome_fini(&o);
    return out;
}

/* --- results --- */

/* The files themselves, beside what their rows say. */
static void put_checkpoint_files(const struct home *h, const char *study,
                                 struct buf *out)
{
    char *sql = mem_printf(
        "SELECT s.study_id || '/' || t.number || '/' || c.file, c.sha256, "
        "t.number FROM parzen_checkpoints c JOIN trials t USING (trial_id) "
        "JOIN studies s USING (study_id) WHERE study_name = '%s' AND "
        "kind = 'best' ORDER BY t.number",
        study);
    char *rows = home_sql(h, sql), *save = NULL;
    for (char *row = strtok_r(rows, "\n", &save); row != NULL;
         row = strtok_r(NULL, "\n", &save)) {
        char file[256], wanted[65], sha[65];
        long number;
        uint64_t size;
        struct err err;
        ck_assert_int_eq(
            sscanf(row, "%255[^|]|%64[^|]|%ld", file, wanted, &number), 3);
        char *path = mem_printf("%s/checkpoints/%s", h->state, file);
        ck_assert_msg(file_sha256(path, sha, &size, &err) == 0, "%s", err.msg);
        ck_assert_msg(strcmp(sha, wanted) == 0, "%s: %s, its row says %s", path,
                      sha, wanted);
        buf_printf(out, "trial %ld best file %s\n", number, sha);
        free(path);
    }
    free(rows);
    free(sql);
}

static void put_rows(const struct home *h, const char *study, const char *what,
                     const char *columns, const char *table, struct buf *out)
{
    char *sql = mem_printf("SELECT 'trial ' || t.number || ' %s', %s FROM %s "
                           "JOIN trials t USING (trial_id) JOIN studies s "
                           "USING (study_id) WHERE study_name = '%s' "
                           "ORDER BY t.number, 2",
                           what, columns, table, study);
    char *rows = home_sql(h, sql);
    buf_str(out, rows);
    free(rows);
    free(sql);
}

char *home_results(const struct home *h, const char *study)
{
    struct buf out;
    buf_init(&out, 64 << 20);
    put_rows(h, study, "state", "state, best_epoch, nondeterministic",
             "parzen_trials", &out);
    put_rows(h, study, "param", "param_name, param_value, distribution_json",
             "trial_params", &out);
    put_rows(h, study, "value", "value, value_type", "trial_values", &out);
    put_rows(h, study, "epoch",
             "epoch, train_loss, train_acc, val_loss, val_acc, test_acc",
             "parzen_epochs", &out);
    put_rows(h, study, "intermediate",
             "step, intermediate_value, intermediate_value_type",
             "trial_intermediate_values", &out);
    put_checkpoint_files(h, study, &out);
    return buf_take(&out);
}

void home_same(const char *expected, const char *got, const char *context)
{
    const char *a = expected, *b = got;
    while (*a != '\0' || *b != '\0') {
        size_t na = strcspn(a, "\n"), nb = strcspn(b, "\n");
        ck_assert_msg(na == nb && memcmp(a, b, na) == 0,
                      "%s: expected\n  %.*s\ngot\n  %.*s", context, (int)na, a,
                      (int)nb, b);
        a += na + (a[na] == '\n');
        b += nb + (b[nb] == '\n');
    }
}

/* --- invariants --- */

/* Each query finds the rows that break a rule. */
static const struct rule {
    const char *what, *sql;
} rules[] = {
    {"numbers are 0..N-1",
     "SELECT study_id, count(*), min(number), max(number) FROM trials "
     "GROUP BY study_id HAVING min(number) <> 0 OR "
     "max(number) <> count(*) - 1 OR count(DISTINCT number) <> count(*)"},
    {"attempts are 1..k, the last is the trial's",
     "SELECT t.trial_id, t.attempt, count(a.attempt), max(a.attempt) FROM "
     "parzen_trials t LEFT JOIN parzen_attempts a USING (trial_id) GROUP BY "
     "1 HAVING t.attempt <> count(a.attempt) OR "
     "coalesce(max(a.attempt), 0) <> t.attempt"},
    {"a trial that does not run has no open attempt",
     "SELECT trial_id, attempt FROM parzen_attempts JOIN trials "
     "USING (trial_id) WHERE ended_ms IS NULL AND state <> 'RUNNING'"},
    {"at most one open attempt",
     "SELECT trial_id FROM parzen_attempts WHERE ended_ms IS NULL GROUP BY 1 "
     "HAVING count(*) > 1"},
    {"the target is never overshot",
     "SELECT study_id, count(*), n_trials FROM trials JOIN parzen_configs "
     "USING (study_id) WHERE trials.state IN ('COMPLETE', 'PRUNED') GROUP BY "
     "1 HAVING count(*) > n_trials"},
    {"each trial ended once",
     "SELECT study_id, number, count(*) FROM parzen_events WHERE "
     "kind = 'FINISH_TRIAL' AND (study_id, number) NOT IN (SELECT study_id, "
     "number FROM parzen_events WHERE kind = 'RETRY_TRIAL') GROUP BY 1, 2 "
     "HAVING count(*) > 1"},
    {"each attempt was started once",
     "SELECT study_id, number, attempt, count(*) FROM parzen_events WHERE "
     "kind = 'START_TRIAL' GROUP BY 1, 2, 3 HAVING count(*) > 1"},
    {"events have no gap",
     "SELECT count(*), max(seq) FROM parzen_events HAVING "
     "count(*) <> coalesce(max(seq), 0) AND "
     "sum(kind = 'DELETE_STUDY') = 0"},
    {"a COMPLETE trial has a value and a time",
     "SELECT number FROM trials LEFT JOIN trial_values USING (trial_id) WHERE "
     "state = 'COMPLETE' AND (value IS NULL OR datetime_complete IS NULL OR "
     "datetime_complete < datetime_start)"},
    {"a FAIL has a cause and a sentence",
     "SELECT number, cause, message FROM trials JOIN parzen_trials USING "
     "(trial_id) JOIN parzen_configs USING (study_id) WHERE "
     "trials.state = 'FAIL' AND (cause IN ('none', '') OR message IS NULL OR "
     "message = '')"},
    {"epochs have no gap",
     "SELECT trial_id, count(*), max(epoch) FROM parzen_epochs GROUP BY 1 "
     "HAVING count(*) <> max(epoch) + 1 OR min(epoch) <> 0"},
    {"attempts of epochs do not go back",
     "SELECT a.trial_id, a.epoch FROM parzen_epochs a JOIN parzen_epochs b ON "
     "a.trial_id = b.trial_id AND a.epoch + 1 = b.epoch WHERE "
     "a.attempt > b.attempt"},
    {"no epoch came back different",
     "SELECT trial_id FROM parzen_trials WHERE nondeterministic <> 0"},
    {"finished studies have nothing open",
     "SELECT study_id, number FROM trials JOIN parzen_configs USING "
     "(study_id) WHERE parzen_configs.state = 'finished' AND "
     "trials.state = 'RUNNING'"},
    {"foreign keys", "PRAGMA foreign_key_check"},
};

static void check_store(const struct home *h, const char *context)
{
    struct store *store;
    struct err err;
    struct buf findings;
    buf_init(&findings, 1 << 20);
    char *path = mem_printf("%s/parzen.db", h->state);
    ck_assert_msg(store_open_readonly(path, &store, &err) == 0, "%s: %s",
                  context, err.msg);
    int n = store_check(store, &findings);
    ck_assert_msg(n == 0 && findings.len == 0, "%s: %s", context,
                  findings.data); /* nothing is left, either */
    store_close(store);
    buf_fini(&findings);
    free(path);
}

void home_check(const struct home *h, const char *context)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        char *broken = home_sql(h, rules[i].sql);
        ck_assert_msg(broken[0] == '\0', "%s: not so: %s: %s", context,
                      rules[i].what, broken);
        free(broken);
    }
    check_store(h, context);
}

void home_end(struct home *h, const char *context)
{
    ck_assert_int_eq(home_stop_daemon(h), 0);
    home_check(h, context);
    home_fini(h);
}

const char *home_json(const struct home *h, const char *name, char *text)
{
    char *file = mem_printf("%s.json", name);
    const char *path = home_file(h, file, text);
    free(file);
    free(text);
    return path;
}

const char *home_command(const struct home *h, const char *name,
                         const char *members, const char *limits,
                         const char *script)
{
    char *file = mem_printf("%s.sh", name);
    (void)home_file(h, file, script);
    char *text = mem_printf(
        "{\"study\":\"%s\",%s\"objective\":{\"type\":\"command\",%s"
        "\"command\":[\"sh\",\"%s/%s\",\"{x}\"]},"
        "\"params\":{\"x\":{\"float\":[1,9]},\"k\":{\"choice\":[\"a\",\"b\"]},"
        "\"y\":{\"int\":[1,5],\"when\":{\"k\":\"a\"}}}}",
        name, members, limits, h->dir, file);
    free(file);
    return home_json(h, name, text);
}

const char *home_function(const struct home *h, const char *name,
                          const char *members, const char *params)
{
    return home_json(h, name,
                     mem_printf("{\"study\":\"%s\",%s\"objective\":{\"type\":"
                                "\"function\",\"function\":\"sphere\"},"
                                "\"params\":{%s}}",
                                name, members, params));
}

void home_run(const struct home *h, const char *config_path, int code)
{
    struct outcome o = CLI(h, 60, "run", config_path);
    ck_assert_msg(o.code == code, "%d: %s", o.code, o.err);
    outcome_fini(&o);
}

void home_replays(const struct home *h, const char *study)
{
    EXPECT(h, 0, "suggestions equal", "replay", study);
    EXPECT(h, 0, NULL, "doctor");
}
