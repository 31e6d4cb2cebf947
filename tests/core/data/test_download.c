#include "core/data/download.h"
#include "core/base/file.h"
#include "core/base/mem.h"
#include "core/data/fetch.h"
#include "core/data/source.h"
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
    strcpy(cache, "/tmp/parzen-download-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(cache));
    fix_hub_init(&hub);
    unsetenv("http_proxy");
    notes[0] = '\0';
    watch = (struct fetch_watch){.on_note = on_note};
}

static void teardown(void)
{
    fix_hub_fini(&hub);
    ck_assert_int_eq(file_remove_tree(cache, NULL), 0);
}

/* Checks each row against the one that must come. */
static int on_row(void *ctx, const struct row *row, struct err *err)
{
    char text[64];
    int *at = ctx;
    (void)err;
    snprintf(text, sizeof(text), "train text %d", (*at)++);
    ck_assert_uint_eq(row->text.len, strlen(text));
    ck_assert_mem_eq(row->text.at, text, row->text.len);
    return 0;
}

static void must_read_file(void)
{
    int n = 0;
    struct err err = {0};
    char *url = mem_printf("%s/file.jsonl?download=true", hub.url);
    const struct source_query q = {
        .text = "text", .label = "label", .cache_dir = cache, .watch = &watch};
    const struct row_sink sink = {&n, on_row};
    int rc = source_read(url, &q, &sink, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
    ck_assert_int_eq(n, hub.state->n_train);
    free(url);
}

START_TEST(test_whole_changed_and_cut)
{
    must_read_file();
    int size = hub.state->n_bytes_of_file;
    must_read_file(); /* nothing changed: not sent again */
    ck_assert_int_eq(hub.state->n_bytes_of_file, size);
    strcpy(hub.state->revision, "v2");
    hub.state->n_train = 5000;
    hub.state->n_bytes_of_file = 0;
    hub.state->n_cut = 2;
    must_read_file(); /* goes on where it was cut: no byte twice */
    ck_assert_int_eq(hub.state->n_cut, 0);
    ck_assert_int_gt(hub.state->n_bytes_of_file, 2 * size);
    ck_assert_int_lt(hub.state->n_bytes_of_file, 3 * size);
    fix_hub_kill(&hub);
    notes[0] = '\0';
    must_read_file();
    ck_assert_ptr_nonnull(strstr(notes, "using the copy in the cache"));
}
END_TEST

START_TEST(test_killed_reader)
{
    hub.state->n_cut = 1000000; /* every answer is cut in half */
    pid_t pid = fork();
    char *url = mem_printf("%s/file.jsonl?download=true", hub.url), *path;
    struct err err = {0};
    if (pid == 0) {
        _exit(download_file(url, cache, NULL, &path, &err) == 0 ? 0 : 1);
    }
    while (hub.state->n_bytes_of_file == 0) {
        usleep(5000);
    }
    usleep(100000);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    hub.state->n_cut = 0;
    int before = hub.state->n_bytes_of_file;
    must_read_file();
    ck_assert_int_le(hub.state->n_bytes_of_file, 2 * before + 1);
    free(url);
}
END_TEST

/* A process that reads the file, seeing every row; 0 is its good exit. */
static pid_t read_file_beside(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        must_read_file(); /* which fails by another code */
        _exit(0);
    }
    return pid;
}

static void must_end_well(pid_t pid)
{
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

/* How much of the file the cache has: complete, or what is there of a part. */
static long n_bytes_kept(const char *ending)
{
    long n = 0;
    char *command =
        mem_printf("stat -c %%s %s/files/*%s 2>/dev/null", cache, ending);
    FILE *f = popen(command, "r");
    (void)!fscanf(f, "%ld", &n);
    pclose(f);
    free(command);
    return n;
}

START_TEST(test_many_readers_at_once)
{
    must_read_file();
    int size = hub.state->n_bytes_of_file;
    for (int round = 0; round < 2; round++) {
        pid_t readers[4];
        hub.state->is_untagged = round == 1;
        hub.state->ms_of_file = 1500;
        hub.state->n_bytes_of_file = 0;
        snprintf(hub.state->revision, sizeof(hub.state->revision), "r%d",
                 round);
        for (size_t i = 0; i < 4; i++) {
            readers[i] = read_file_beside();
            usleep(i == 0 ? 100000 : 30000); /* the later ones find a part */
        }
        for (size_t i = 0; i < 4; i++) {
            must_end_well(readers[i]);
        }
        ck_assert_int_eq(hub.state->n_bytes_of_file, size); /* came once */
        must_read_file();
    }
}
END_TEST

/* Who waits for a download that dies goes on with its part. */
START_TEST(test_holder_that_dies)
{
    hub.state->ms_of_file = 20000;
    pid_t holder = read_file_beside();
    while (n_bytes_kept(".part") == 0) {
        usleep(5000);
    }
    hub.state->ms_of_file = 0;
    pid_t waiter = read_file_beside();
    usleep(300000);
    ck_assert_int_eq(waitpid(waiter, NULL, WNOHANG), 0);
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    must_end_well(waiter);
    must_read_file();
}
END_TEST

START_TEST(test_waiting_is_interrupted)
{
    static volatile int stop = 1;
    hub.state->ms_of_file = 20000;
    pid_t holder = read_file_beside();
    while (n_bytes_kept(".part") == 0) {
        usleep(5000);
    }
    char *url = mem_printf("%s/file.jsonl?download=true", hub.url), *path;
    struct err err = {0};
    watch.stop = &stop;
    ck_assert_int_eq(download_file(url, cache, &watch, &path, &err),
                     ERR_CANCELED);
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    free(url);
}
END_TEST

START_TEST(test_damaged_in_the_cache)
{
    char *url = mem_printf("%s/file.jsonl?download=true", hub.url), *path;
    struct err err = {0};
    must_read_file();
    int size = hub.state->n_bytes_of_file;
    ck_assert_int_eq(download_file(url, cache, NULL, &path, &err), 0);
    ck_assert_int_eq(truncate(path, size / 2), 0); /* ends within rows */
    must_read_file();
    ck_assert_int_eq(hub.state->n_bytes_of_file, 2 * size);
    ck_assert_ptr_nonnull(strstr(notes, "in the cache is damaged"));
    FILE *f = fopen(path, "r+"); /* of the right size */
    fputs("{\"text\":\"none of it\"", f);
    fclose(f);
    must_read_file();
    ck_assert_int_eq(hub.state->n_bytes_of_file, 3 * size);
    ck_assert_int_eq(truncate(path, size / 2), 0);
    fix_hub_kill(&hub); /* rather nothing than a part of it */
    ck_assert_int_eq(download_file(url, cache, NULL, &path, &err),
                     ERR_UNREACHABLE);
    free(path);
    free(url);
}
END_TEST

START_TEST(test_not_there)
{
    struct err err = {0};
    char *path, *url = mem_printf("%s/none.csv", hub.url);
    ck_assert_int_eq(download_file(url, cache, NULL, &path, &err),
                     ERR_NOTFOUND);
    ck_assert_ptr_nonnull(strstr(err.msg, "none.csv: no such file"));
    free(url);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("download");
    TCase *t = tcase_create("download");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_whole_changed_and_cut);
    tcase_add_test(t, test_killed_reader);
    tcase_add_test(t, test_many_readers_at_once);
    tcase_add_test(t, test_holder_that_dies);
    tcase_add_test(t, test_waiting_is_interrupted);
    tcase_add_test(t, test_damaged_in_the_cache);
    tcase_add_test(t, test_not_there);
    suite_add_tcase(s, t);
    return s;
}
