/* What people and accidents put in: each ends with the promised exit code and
 * one sentence that names the file, the place in it and the reason. */
#include "core/base/file.h"
#include "core/base/mem.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FINISH_S = 60 };

static struct home h;
static const char *const one[] = {"--workers", "1", NULL};

static void begin(void)
{
    home_init(&h);
    home_data(&h, 100, 4);
    home_start(&h, one);
}

static const char *quick(const char *name, const char *members)
{
    return home_config(&h, name, members, "\"max_epochs\": 2,");
}

/* --- configs -------------------------------------------------------------- */

/* Replaces `from` in a good config; the run must end with 2 and say this. */
static const struct bad_config {
    const char *from, *to, *says;
} bad_configs[] = {
    {"max_epochs", "max_epoch", "max_epoch: unknown key"},
    {"max_epochs", "max_epoch", "did you mean 'max_epochs'"},
    {"[1e-4, 1e-2]", "[1e-2, 1e-4]", "training.lr"},
    {"[1e-4, 1e-2]", "[0, 1e-2]", "training.lr"},
    {"[1e-4, 1e-2]", "[1e-4, 1e999]", "too large"},
    {"\"max_len\": 16", "\"max_len\": \"16\"", "model.max_len"},
    {"\"max_len\": 16", "\"max_len\": 1e18", "model.max_len"},
    {"\"max_len\": 16", "\"max_len\": -1", "model.max_len"},
    {"\"max_len\": 16", "\"max_len\": 16, \"max_len\": 17", "max_len"},
    {"\"num_heads\": 2", "\"num_heads\": 3", "num_heads"},
    {"\"n_trials\": 2", "\"n_trials\": 2.5", "n_trials"},
    {"\"n_trials\": 2", "\"n_trials\": 0", "n_trials"},
    {"\"n_trials\": 2", "\"n_trials\": 99999999999", "n_trials"},
    {"\"n_trials\": 2,", "\"n_trials\": 2", "line 2, column 2"},
    {"\"study\": \"bad\"", "\"study\": \"\"", "study"},
};

static char *replaced(const char *text, const char *from, const char *to)
{
    const char *at = strstr(text, from);
    ck_assert_msg(at != NULL, "%s is not in the config", from);
    return mem_printf("%.*s%s%s", (int)(at - text), text, to,
                      at + strlen(from));
}

START_TEST(bad_configs_are_refused)
{
    begin();
    char *text;
    size_t n;
    struct err err;
    const char *path = quick("bad", "\"n_trials\": 2,");
    ck_assert_int_eq(file_load(path, 1 << 20, &text, &n, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad_configs); i++) {
        const struct bad_config *b = &bad_configs[i];
        char *bad = replaced(text, b->from, b->to);
        path = home_file(&h, "bad.json", bad);
        EXPECT(&h, 2, b->says, "run", path);
        EXPECT(&h, 2, "bad.json: ", "run", path);
        free(bad);
    }
    free(text);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM studies"), 0);
    EXPECT(&h, 2, "missing.json", "run", "/nowhere/missing.json");
    EXPECT(&h, 2, "training.lrr", "run", "--set", "training.lrr=1",
           quick("bad", "\"n_trials\": 2,"));
    home_end(&h, "bad configs");
}
END_TEST

/* --- data ----------------------------------------------------------------- */

#define GOOD  "{\"text\": \"red blue\", \"label\": \"a\"}\n"
#define OTHER "{\"text\": \"salt iron\", \"label\": \"b\"}\n"

static const struct bad_data {
    const char *text, *says; /* in the study's reason, beside the file */
} bad_data[] = {
    {GOOD "{\"text\": nope}\n" OTHER, "line 2"},
    {GOOD "{\"text\": \"\xff\xfe\", \"label\": \"b\"}\n", "line 2"},
    {GOOD GOOD GOOD, "data.jsonl: 2 classes are needed"},
    {GOOD OTHER, "data.jsonl: the split leaves"},
    {GOOD "{\"label\": \"b\"}\n", "text"},
};

START_TEST(bad_data_fail_the_study)
{
    begin();
    for (size_t i = 0; i < ARRAY_LEN(bad_data); i++) {
        char name[32];
        snprintf(name, sizeof(name), "data%zu", i);
        const char *config = quick(name, "\"n_trials\": 2,");
        char *path = mem_strdup(config);
        home_file(&h, "data.jsonl", bad_data[i].text);
        EXPECT(&h, 1, bad_data[i].says, "run", path);
        EXPECT(&h, 0, "failed", "status", name);
        free(path);
    }
    home_file(&h, "data.jsonl", "");
    EXPECT(&h, 2, "data.jsonl: the file is empty", "run",
           quick("empty", "\"n_trials\": 2,"));
    home_data(&h, 100, 4);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trials"), 0);
    /* The data are repaired: the same study goes on. */
    EXPECT(&h, 0, NULL, "run", quick("data0", "\"n_trials\": 2,"));
    char *data = mem_printf("%s/data.jsonl", h.dir);
    ck_assert_int_eq(unlink(data), 0);
    EXPECT(&h, 2, data, "run", quick("missing", "\"n_trials\": 2,"));
    free(data);
    home_end(&h, "bad data");
}
END_TEST

/* The prepared copy is what counts; without it the change is seen. */
START_TEST(data_changed_under_a_study)
{
    begin();
    char *config = mem_strdup(quick("moved", "\"n_trials\": 1,"));
    EXPECT(&h, 0, NULL, "run", config);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_data(&h, 120, 4);
    char *cache = mem_printf("%s/cache", h.state);
    struct err err;
    ck_assert_int_eq(file_remove_tree(cache, &err), 0);
    home_start(&h, one);
    EXPECT(&h, 0, NULL, "resume", "moved", "--trials", "2");
    home_wait_state(&h, "moved", "failed", FINISH_S);
    EXPECT(&h, 0, "changed", "status", "moved");
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trials"), 1);
    free(cache);
    free(config);
    home_end(&h, "moved data");
}
END_TEST

/* --- names ---------------------------------------------------------------- */

START_TEST(any_name_works_everywhere)
{
    static const char *const names[] = {"a/b",
                                        "it's \\\"quoted\\\"",
                                        "<img src=x onerror=alert(1)>",
                                        "\xf0\x9f\x90\xb3 Wal",
                                        "...",
                                        "100%25?x=1#y",
                                        "a b+c&d",
                                        "'; DROP TABLE studies; --"};
    static const char *const plain[] = {"a/b",
                                        "it's \"quoted\"",
                                        "<img src=x onerror=alert(1)>",
                                        "\xf0\x9f\x90\xb3 Wal",
                                        "...",
                                        "100%25?x=1#y",
                                        "a b+c&d",
                                        "'; DROP TABLE studies; --"};
    begin();
    char *good = mem_strdup(quick("plain", "\"n_trials\": 1,"));
    char *text;
    size_t n;
    struct err err;
    ck_assert_int_eq(file_load(good, 1 << 20, &text, &n, &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *renamed = replaced(text, "plain", names[i]);
        EXPECT(&h, 0, NULL, "run", home_file(&h, "name.json", renamed));
        EXPECT(&h, 0, NULL, "status", plain[i]);
        EXPECT(&h, 0, NULL, "trials", plain[i]);
        EXPECT(&h, 0, NULL, "show", plain[i], "0");
        EXPECT(&h, 4, NULL, "show", plain[i], "7");
        EXPECT(&h, 0, NULL, "delete", plain[i], "--yes");
        EXPECT(&h, 4, NULL, "status", plain[i]);
        free(renamed);
    }
    EXPECT(&h, 2, "study: must not be '..'", "run", good, "--name", "..");
    free(text);
    free(good);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM studies"), 0);
    home_end(&h, "names");
}
END_TEST

/* --- state directories ---------------------------------------------------- */

static void start_is_refused(const char *const *args, int code,
                             const char *says)
{
    char *err;
    int got = home_start_fails(&h, args, &err);
    ck_assert_msg(got == code, "exit %d, expected %d: %s", got, code, err);
    ck_assert_msg(strstr(err, says) != NULL, "does not say \"%s\": %s", says,
                  err);
    free(err);
}

START_TEST(a_second_daemon_is_refused)
{
    char pid[32];
    begin();
    snprintf(pid, sizeof(pid), "process %d", (int)h.daemon);
    start_is_refused(one, 69, pid);
    ck_assert(home_answers(&h));
    home_end(&h, "second daemon");
}
END_TEST

START_TEST(a_taken_port_is_named)
{
    begin();
    char *path = mem_printf("%s/port", h.state), *port;
    size_t n;
    struct err err;
    ck_assert_int_eq(file_load(path, 64, &port, &n, &err), 0);
    port[strcspn(port, "\n")] = '\0';
    struct home other = h;
    home_init(&other);
    char *said;
    const char *const args[] = {"--port", port, NULL};
    ck_assert_int_eq(home_start_fails(&other, args, &said), 69);
    ck_assert_ptr_nonnull(strstr(said, port));
    ck_assert_ptr_nonnull(strstr(said, "; choose another with --port N"));
    free(said);
    home_fini(&other);
    free(port);
    free(path);
    home_end(&h, "port");
}
END_TEST

/* By the command line, which asks for no port. */
static int start_somewhere(void)
{
    struct outcome o = CLI(&h, 60, "--json", "daemon", "start");
    ck_assert_msg(o.code == 0, "%s", o.err);
    const char *at = strstr(o.out, "\"port\":");
    int port = at != NULL ? (int)strtol(at + 7, NULL, 10) : 0;
    outcome_fini(&o);
    return port;
}

/* Links to the page stay true. */
START_TEST(a_taken_port_leaves_the_one_that_was_used_last)
{
    struct sockaddr_in usual = {.sin_family = AF_INET,
                                .sin_port = htons(7373),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&usual, sizeof(usual)) == 0) {
        ck_assert_int_eq(listen(fd, 1), 0);
    } /* else somebody else has it */
    home_init(&h);
    int port = start_somewhere();
    ck_assert_int_ne(port, 7373);
    ck_assert_int_ne(port, 0);
    EXPECT(&h, 0, "has ended; no trial was running", "daemon", "stop");
    char *path = mem_printf("%s/log", h.state), *log;
    size_t n;
    struct err err;
    ck_assert_int_eq(file_load(path, 1 << 20, &log, &n, &err), 0);
    ck_assert_ptr_nonnull(strstr(log, "another program; taking another"));
    free(log);
    free(path);
    ck_assert_int_eq(start_somewhere(), port);
    EXPECT(&h, 0, NULL, "daemon", "stop");
    close(fd);
    home_fini(&h);
}
END_TEST

/* A path that sockaddr_un has no room for, and that is not there yet. */
START_TEST(a_long_state_directory)
{
    home_init(&h);
    home_data(&h, 100, 4);
    while (strlen(h.state) < 115) {
        strcat(h.state, "/state"); /* there is room for 300 */
    }
    EXPECT(&h, 3, "no daemon answers on /", "studies");
    EXPECT(&h, 0, "started the daemon", "run",
           quick("long", "\"n_trials\": 1,"));
    EXPECT(&h, 0, NULL, "daemon", "stop");
    EXPECT(&h, 0, NULL, "daemon", "start");
    EXPECT(&h, 0, "finished", "status", "long");
    EXPECT(&h, 0, NULL, "daemon", "stop");
    home_fini(&h);
}
END_TEST

START_TEST(nobody_there)
{
    home_init(&h);
    EXPECT(&h, 3, NULL, "status", "x");
    EXPECT(&h, 3, NULL, "studies");
    home_start(&h, one);
    EXPECT(&h, 4, "'x'", "status", "x");
    EXPECT(&h, 4, "'x'", "resume", "x");
    EXPECT(&h, 2, NULL, "stat");
    EXPECT(&h, 2, NULL, "resume", "x", "--trials", "many");
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_fini(&h);
}
END_TEST

START_TEST(bad_state_directories)
{
    home_init(&h);
    home_file(&h, "state", "a file where a folder should be");
    start_is_refused(one, 74, "state");
    unlink(h.state);
    ck_assert_int_eq(mkdir(h.state, 0700), 0);
    char *path = mem_printf("%s/parzen.db", h.state);
    static const char text[] = "dear diary, this is no database";
    struct err err;
    ck_assert_int_eq(file_write_atomic(path, text, strlen(text), 0600, &err),
                     0);
    start_is_refused(one, 1, "not an SQLite database");
    char *kept;
    size_t n;
    ck_assert_int_eq(file_load(path, 1 << 20, &kept, &n, &err), 0);
    ck_assert_str_eq(kept, text);
    free(kept);
    const char *const lost[] = {"--worker", "/nowhere/parzen-worker", NULL};
    unlink(path);
    start_is_refused(lost, 1, "/nowhere/parzen-worker");
    free(path);
    home_fini(&h);
}
END_TEST

/* Change one byte in the middle of a file; its old value. */
static void flip(const char *path, off_t at)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    char byte;
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
    byte = (char)(byte ^ 0x41);
    ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

START_TEST(a_damaged_database_is_refused_and_left_alone)
{
    begin();
    EXPECT(&h, 0, NULL, "run", quick("db", "\"n_trials\": 3,"));
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    char *path = mem_printf("%s/parzen.db", h.state);
    for (off_t at = 4096; at < 4096 * 4; at += 4096) {
        for (off_t i = 0; i < 64; i++) {
            flip(path, at + i);
        }
    }
    char before[65], after[65];
    uint64_t size;
    struct err err;
    ck_assert_int_eq(file_sha256(path, before, &size, &err), 0);
    start_is_refused(one, 1, "parzen.db");
    EXPECT(&h, 1, "parzen.db", "doctor");
    ck_assert_int_eq(file_sha256(path, after, &size, &err), 0);
    ck_assert_str_eq(before, after);
    free(path);
    home_fini(&h);
}
END_TEST

START_TEST(a_newer_database_is_refused)
{
    begin();
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    char *path = mem_printf("%s/parzen.db", h.state);
    home_exec(&h, "PRAGMA user_version = 99");
    start_is_refused(one, 1, "newer");
    free(path);
    home_fini(&h);
}
END_TEST

/* --- checkpoints ---------------------------------------------------------- */

/* The same parameters and seed give the same training: a damaged checkpoint
 * costs time and no more. */
START_TEST(a_damaged_checkpoint_costs_only_time)
{
    static const char training[] = "\"max_epochs\": 12, \"batch_size\": 4,";
    home_init(&h);
    home_data(&h, 300, 4);
    home_start(&h, one);
    home_post(&h, home_config(&h, "ck", "\"n_trials\": 1,", training));
    home_wait_state(&h, "ck", "finished", FINISH_S);
    char *expected = home_results(&h, "ck");
    EXPECT(&h, 0, NULL, "delete", "ck", "--yes");

    home_post(&h, home_config(&h, "ck", "\"n_trials\": 1,", training));
    ck_assert(home_wait(&h, "SELECT count(*) FROM parzen_epochs", 3, 20000));
    home_kill_daemon(&h);
    char *rows = home_sql(&h, "SELECT study_id || '/0/' || file FROM "
                              "parzen_checkpoints JOIN trials USING "
                              "(trial_id) WHERE kind = 'last'");
    rows[strcspn(rows, "\n")] = '\0';
    char *path = mem_printf("%s/checkpoints/%s", h.state, rows);
    flip(path, 5000);
    home_start(&h, one);
    home_wait_state(&h, "ck", "finished", FINISH_S);
    ck_assert_int_eq(home_count(&h, "SELECT attempt FROM parzen_trials"), 2);
    /* It is told, kept aside, and the one before it was used. */
    ck_assert_int_eq(
        home_count(&h, "SELECT count(*) FROM parzen_events WHERE kind = "
                       "'DISCARD' AND detail LIKE 'last-%damaged%'"),
        1);
    char *aside = mem_printf("%.*s/checkpoint.corrupt",
                             (int)(strrchr(path, '/') - path), path);
    ck_assert(file_exists(aside));
    free(aside);
    char *log;
    ck_assert_int_eq(
        home_http(&h, "GET", "/studies/ck/trials/0/log", NULL, &log), 200);
    ck_assert_ptr_nonnull(strstr(log, "is of no use"));
    ck_assert_ptr_nonnull(strstr(log, "resumed"));
    free(log);
    char *got = home_results(&h, "ck");
    home_same(expected, got, "after the damage");
    free(got);
    free(path);
    free(rows);
    free(expected);
    home_end(&h, "checkpoint");
}
END_TEST

Suite *suite(void)
{
    const TTest *tests[] = {
        bad_configs_are_refused,
        bad_data_fail_the_study,
        data_changed_under_a_study,
        any_name_works_everywhere,
        a_second_daemon_is_refused,
        a_taken_port_is_named,
        a_taken_port_leaves_the_one_that_was_used_last,
        a_long_state_directory,
        nobody_there,
        bad_state_directories,
        a_damaged_database_is_refused_and_left_alone,
        a_newer_database_is_refused,
        a_damaged_checkpoint_costs_only_time,
    };
    Suite *s = suite_create("e2e/bad_input");
    TCase *c = tcase_create("bad");
    tcase_set_timeout(c, 180);
    for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
        tcase_add_test(c, tests[i]);
    }
    suite_add_tcase(s, c);
    return s;
}
