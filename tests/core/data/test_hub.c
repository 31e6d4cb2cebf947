#include "core/data/hub.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/data/fetch.h"
#include "tests/lib/fix_hub.h"
#include "tests/lib/test_main.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fix_hub hub;
static char cache[64];
static char notes[8192];
static struct fetch_watch watch;

static void on_note(void *ctx, const char *sentence)
{
    (void)ctx;
    strncat(notes, sentence, sizeof(notes) - strlen(notes) - 2);
    strcat(notes, "\n");
}

static void setup(void)
{
    strcpy(cache, "/tmp/parzen-hub-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(cache));
    fix_hub_init(&hub);
    setenv("HF_DATASETS_SERVER", hub.url, 1);
    setenv("HF_HOME", cache, 1); /* no token but ours */
    unsetenv("HF_TOKEN");
    unsetenv("http_proxy");
    notes[0] = '\0';
    watch = (struct fetch_watch){.on_note = on_note};
}

static void teardown(void)
{
    fix_hub_fini(&hub);
    ck_assert_int_eq(file_remove_tree(cache, NULL), 0);
}

/* --- reading
 * -------------------------------------------------------------------- */

/* Checks each row against the one that must come. */
struct expect {
    int n_train, at;
    bool has_names;
};

static int on_row(void *ctx, const struct row *row, struct err *err)
{
    static const char *const names[] = {"zero", "one", "two"};
    struct expect *e = ctx;
    char text[64], label[64];
    bool is_train = e->at < e->n_train;
    int i = is_train ? e->at : e->at - e->n_train;
    int from = hub.state->changed_from,
        class = (i + (from > 0 && i >= from)) % 3;
    (void)err;
    snprintf(text, sizeof(text), "%s text %d", is_train ? "train" : "test", i);
    snprintf(label, sizeof(label), "class %d", class);
    const char *want = e->has_names ? names[class] : label;
    ck_assert_uint_eq(row->text.len, strlen(text));
    ck_assert_mem_eq(row->text.at, text, row->text.len);
    ck_assert_uint_eq(row->label.len, strlen(want));
    ck_assert_mem_eq(row->label.at, want, row->label.len);
    e->at++;
    return 0;
}

static const char *const both[] = {"train", "test"};

static int read_source(const char *source, const char *const *splits,
                       size_t n_splits, struct expect *e, struct err *err)
{
    const struct source_query q = {.splits = splits,
                                   .n_splits = n_splits,
                                   .text = "text",
                                   .label = "label",
                                   .cache_dir = cache,
                                   .watch = &watch};
    const struct row_sink sink = {e, on_row};
    *e = (struct expect){.n_train = hub.state->n_train,
                         .has_names = strcmp(source, "hf:org/labels") == 0};
    return source_read(source, &q, &sink, err);
}

static void must_read_all(const char *source)
{
    struct expect e;
    struct err err = {0};
    int rc = read_source(source, both, 2, &e, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    ck_assert_int_eq(e.at, hub.state->n_train + hub.state->n_test);
}

static void must_fail(const char *source, int code, const char *words)
{
    struct expect e;
    struct err err = {0};
    int rc = read_source(source, NULL, 0, &e, &err);
    ck_assert_msg(rc == code, "%d: %s", rc, err.msg);
    ck_assert_msg(strstr(err.msg, words) != NULL, "'%s' has no '%s'", err.msg,
                  words);
    ck_assert_int_eq(strncmp(err.msg, source, strlen(source)), 0);
}

START_TEST(test_every_row_once_in_order)
{
    must_read_all("hf:org/good");
    must_read_all("hf:org/labels");
    struct expect e;
    struct err err = {0};
    ck_assert_int_eq(read_source("hf:org/two/b", NULL, 0, &e, &err), 0);
    ck_assert_int_eq(e.at, 2379); /* no split named: all */
    ck_assert_str_eq(notes, "");
}
END_TEST

START_TEST(test_server_that_misbehaves)
{
    *hub.state = (struct fix_hub_state){.n_train = 2260,
                                        .n_test = 119,
                                        .revision = "abc123",
                                        .n_429 = 2,
                                        .n_500 = 2,
                                        .n_cut = 3,
                                        .n_slow = 2};
    must_read_all("hf:org/good");
    ck_assert_int_eq(hub.state->n_429 + hub.state->n_500 + hub.state->n_cut +
                         hub.state->n_slow,
                     0);
    ck_assert_ptr_nonnull(strstr(notes, "answered 429, trying again in 1.0 s"));
    ck_assert_ptr_nonnull(strstr(notes, "answered 500"));
    for (int i = 0; i < 23; i++) { /* each page once, whatever went wrong */
        ck_assert_int_eq(hub.state->train_pages[i], 1);
    }
}
END_TEST

static int n_kept(void)
{
    int n = 0;
    char *command =
        mem_printf("find %s/hub -name '*.json' 2>/dev/null | wc -l", cache);
    FILE *f = popen(command, "r");
    ck_assert_int_eq(fscanf(f, "%d", &n), 1);
    pclose(f);
    free(command);
    return n;
}

START_TEST(test_killed_and_restarted)
{
    hub.state->ms_per_page = 30;
    for (int round = 1; round <= 3; round++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct hub_result result;
            struct err err;
            const struct source_query q = {.cache_dir = cache};
            _exit(hub_fetch("hf:org/good", &q, &result, &err) == 0 ? 0 : 1);
        }
        while (n_kept() < 6 * round) { /* the sixth, twelfth, ... page */
            usleep(5000);
        }
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    int before = hub.state->n_requests;
    hub.state->ms_per_page = 0;
    must_read_all("hf:org/good");
    /* Kept pages are not asked for again: only splits and first pages are. */
    ck_assert_int_le(hub.state->n_requests - before, 23 + 2 + 3 - 12);
    /* and one that was on its way when its reader died. */
    for (int i = 1; i < 23; i++) {
        ck_assert_int_ge(hub.state->train_pages[i], 1);
        ck_assert_int_le(hub.state->train_pages[i], 4);
    }
}
END_TEST

START_TEST(test_kept_by_revision)
{
    must_read_all("hf:org/good");
    int before = hub.state->n_requests;
    must_read_all("hf:org/good");
    ck_assert_int_eq(hub.state->n_requests - before, 3);
    strcpy(hub.state->revision, "def456");
    hub.state->n_train = 150;
    must_read_all("hf:org/good");
}
END_TEST

/* A server that tells no revision: any page may have changed. */
static void read_unversioned(bool has_page_tags)
{
    hub.state->revision[0] = '\0';
    hub.state->has_page_tags = has_page_tags;
    hub.state->n_train = 150;
    must_read_all("hf:org/good");
    hub.state->n_train = 250;
    must_read_all("hf:org/good");
    hub.state->changed_from = 230; /* the last page of three, not the first */
    must_read_all("hf:org/good");
    hub.state->n_unchanged = 0;
    int before = hub.state->n_requests;
    must_read_all("hf:org/good"); /* splits, 3 pages, 2 pages */
    ck_assert_int_eq(hub.state->n_requests - before, 6);
    ck_assert_int_eq(hub.state->n_unchanged, has_page_tags ? 5 : 0);
    fix_hub_kill(&hub);
    must_read_all("hf:org/good");
    ck_assert_ptr_nonnull(strstr(notes, "using the copy in the cache"));
}

START_TEST(test_pages_without_a_revision)
{
    read_unversioned(false);
}
END_TEST

START_TEST(test_tagged_pages_without_a_revision)
{
    read_unversioned(true);
}
END_TEST

static void damage_page(const char *words)
{
    char *command =
        mem_printf("for f in %s/hub/*/unversioned/1.json; do echo '%s' "
                   ">$f; done",
                   cache, words);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

/* A tag does not keep a page that was damaged in the cache. */
START_TEST(test_damaged_pages_without_a_revision)
{
    hub.state->revision[0] = '\0';
    hub.state->has_page_tags = true;
    must_read_all("hf:org/good");
    damage_page("{}");
    must_read_all("hf:org/good");
}
END_TEST

/* What is half of one state and half of another is no copy to fall back on. */
START_TEST(test_cut_off_without_a_revision)
{
    hub.state->revision[0] = '\0';
    must_read_all("hf:org/good");
    hub.state->changed_from = 1; /* on every page */
    hub.state->ms_per_page = 50;
    int before = hub.state->n_requests;
    pid_t pid = fork();
    if (pid == 0) {
        must_read_all("hf:org/good");
        _exit(0);
    }
    while (hub.state->n_requests - before < 12) {
        usleep(5000);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    fix_hub_kill(&hub);
    must_fail("hf:org/good", ERR_UNREACHABLE, "no complete copy");
}
END_TEST

START_TEST(test_without_a_network)
{
    must_read_all("hf:org/good");
    fix_hub_kill(&hub);
    notes[0] = '\0';
    must_read_all("hf:org/good");
    ck_assert_msg(
        strstr(notes, "using the copy in the cache (revision abc123)") != NULL,
        "%s", notes);
    must_fail("hf:org/labels", ERR_UNREACHABLE, "127.0.0.1");
    fix_hub_restart(&hub);
    must_read_all("hf:org/labels");
}
END_TEST

START_TEST(test_refusals)
{
    must_fail("hf:org/none", ERR_NOTFOUND,
              "no such data set, or it is private or gated: then accept its "
              "terms on the Hub and set HF_TOKEN (the server says: The dataset "
              "does not exist)");
    must_fail("hf:org/gated", ERR_NOTFOUND, "set HF_TOKEN");
    must_fail("hf:org/two", ERR_INVALID,
              "it has several configs, name one as "
              "hf:org/two/CONFIG: a, b");
    must_fail("hf:org/two/c", ERR_NOTFOUND, "no config 'c' (there is: a, b)");
    must_fail("hf:", ERR_INVALID, "expected hf:OWNER/NAME");
    must_fail("hf:../secret", ERR_INVALID, "expected hf:OWNER/NAME");
    must_fail("hf:a/b/", ERR_INVALID, "expected hf:OWNER/NAME");
    hub.state->is_truncated = true;
    must_fail("hf:org/good", ERR_INVALID,
              "split 'train': row 7: the server cut its text or label");
    hub.state->is_truncated = false;
    strcpy(hub.state->revision, "another");
    hub.state->is_partial = true;
    must_fail("hf:org/good", ERR_INVALID, "the server has only its first part");
}
END_TEST

START_TEST(test_labels_without_a_name)
{
    hub.state->is_odd = true;
    hub.state->odd_label = -1;
    must_fail("hf:org/labels", ERR_INVALID,
              "split 'train': row 7: it has no label (-1); name the splits "
              "that have labels");
    strcpy(hub.state->revision, "another");
    hub.state->odd_label = 3;
    must_fail("hf:org/labels", ERR_INVALID,
              "row 7: label 3 is none of the column's 3 classes");
    strcpy(hub.state->revision, "third");
    hub.state->odd_label = -2;
    must_fail("hf:org/labels", ERR_INVALID, "row 7: label -2 is none");
}
END_TEST

START_TEST(test_missing_split_and_column)
{
    static const char *const none[] = {"validation"};
    struct expect e;
    struct err err = {0};
    ck_assert_int_eq(read_source("hf:org/good", none, 1, &e, &err),
                     ERR_NOTFOUND);
    ck_assert_str_eq(err.msg, "hf:org/good: no split 'validation' (there is: "
                              "train, test)");
    const struct source_query q = {
        .text = "completion", .label = "label", .cache_dir = cache};
    const struct row_sink sink = {&e, on_row};
    int before = hub.state->n_requests;
    ck_assert_int_eq(source_read("hf:org/good", &q, &sink, &err), ERR_INVALID);
    ck_assert_str_eq(err.msg, "hf:org/good: split 'train': no column "
                              "'completion' (it has: text, label)");
    ck_assert_int_eq(hub.state->n_requests - before, 2); /* told at once */
}
END_TEST

static int count_text(void *ctx, const struct row *row, struct err *err)
{
    (void)err;
    ck_assert_ptr_null(row->label.at);
    ++*(int *)ctx;
    return 0;
}

/* As of a file: who wants no labels gets none, whatever is in their column. */
START_TEST(test_texts_alone)
{
    static const char *const sources[] = {"hf:org/good", "hf:org/labels"};
    struct err err = {0};
    hub.state->is_odd = true;
    hub.state->odd_label = -1;
    for (size_t i = 0; i < 2; i++) {
        const struct source_query q = {
            .splits = both, .n_splits = 2, .text = "text", .cache_dir = cache};
        int n = 0;
        const struct row_sink sink = {&n, count_text};
        int rc = source_read(sources[i], &q, &sink, &err);
        ck_assert_msg(rc == 0, "%s", err.msg);
        ck_assert_int_eq(n, hub.state->n_train + hub.state->n_test);
    }
}
END_TEST

START_TEST(test_token)
{
    setenv("HF_TOKEN", "wrong", 1);
    must_fail("hf:org/gated", ERR_NOTFOUND, "the token may not read it");
    setenv("HF_TOKEN", "secret", 1);
    must_read_all("hf:org/gated");
    unsetenv("HF_TOKEN");
    must_fail("hf:org/gated", ERR_NOTFOUND, "set HF_TOKEN");
    char *path = mem_printf("%s/token", cache);
    ck_assert_int_eq(file_write_atomic(path, "secret\n", 7, 0600, NULL), 0);
    must_read_all("hf:org/gated");
    free(path);
}
END_TEST

START_TEST(test_what_is_private)
{
    static const char *const yes[] = {
        "https://hub.example",     "https://127.0.0.1:1/x",
        "http://localhost:8000/x", "http://LOCALHOST",
        "http://127.0.0.1",        "http://127.1.2.3:80",
        "http://[::1]:8000",
    };
    static const char *const no[] = {
        "http://hub.example",
        "http://localhost@192.0.2.2",
        "http://localhost:1@a.b",
        "http://localhost.evil",
        "http://127.evil",
        "http://127.0.0.1.evil",
        "http://127.0.0.1@192.0.2.2",
        "http://[::1]@192.0.2.2",
        "http://[::1].evil",
        "http://me@localhost",
        "https://me:x@hub.example",
        "http://localhost\\@192.0.2.2",
        "http://192.0.2.2#localhost",
        "ftp://localhost",
        "localhost",
        "",
    };
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        ck_assert_msg(fetch_is_private(yes[i]), "%s", yes[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(no); i++) {
        ck_assert_msg(!fetch_is_private(no[i]), "%s", no[i]);
    }
}
END_TEST

/* What stands before @ is a user's name, not the host. */
START_TEST(test_token_stays_here)
{
    char server[128];
    snprintf(server, sizeof(server), "http://localhost@127.0.0.1:%d", hub.port);
    setenv("HF_TOKEN", "secret", 1);
    setenv("HF_DATASETS_SERVER", server, 1);
    must_fail("hf:org/gated", ERR_NOTFOUND, "private or gated");
    ck_assert_ptr_nonnull(strstr(notes, "hf:org/gated: the token is not sent"));
}
END_TEST

START_TEST(test_interrupted)
{
    static volatile int stop = 1;
    struct expect e;
    struct err err = {0};
    watch.stop = &stop;
    ck_assert_int_eq(read_source("hf:org/good", both, 2, &e, &err),
                     ERR_CANCELED);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("hub");
    TCase *t = tcase_create("hub");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_every_row_once_in_order);
    tcase_add_test(t, test_server_that_misbehaves);
    tcase_add_test(t, test_killed_and_restarted);
    tcase_add_test(t, test_kept_by_revision);
    tcase_add_test(t, test_pages_without_a_revision);
    tcase_add_test(t, test_tagged_pages_without_a_revision);
    tcase_add_test(t, test_damaged_pages_without_a_revision);
    tcase_add_test(t, test_cut_off_without_a_revision);
    tcase_add_test(t, test_without_a_network);
    tcase_add_test(t, test_refusals);
    tcase_add_test(t, test_labels_without_a_name);
    tcase_add_test(t, test_missing_split_and_column);
    tcase_add_test(t, test_texts_alone);
    tcase_add_test(t, test_token);
    tcase_add_test(t, test_what_is_private);
    tcase_add_test(t, test_token_stays_here);
    tcase_add_test(t, test_interrupted);
    suite_add_tcase(s, t);
    return s;
}
