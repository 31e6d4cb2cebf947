/* All trials of a study are asked for in pages; what is written and printed is
 * what one reply with all of them would give. */
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "tests/lib/fix_daemon.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    N = 1203, /* some pages, the last of which is not full */
    N_ADDED = 7,
    LIMIT_MAX = 1000, /* a page is not longer */
    END_S = 120
};

static struct home h;
static struct fix_daemon fake;

static char *printed(const char *const *args)
{
    return home_expect(&h, 0, NULL, args);
}

#define PRINTED(...) printed((const char *const[]){__VA_ARGS__, NULL})

/* --- a real daemon -------------------------------------------------------- */

static char *reply_of(const char *path)
{
    char *reply;
    ck_assert_int_eq(home_http(&h, "GET", path, NULL, &reply), 200);
    return reply;
}

/* The list of a reply with all trials at once. */
static char *all_trials(const char *path)
{
    static const char head[] = "{\"trials\":";
    char *reply = reply_of(path), *end = strstr(reply, ",\"seq\":");
    for (char *at = end; at != NULL; at = strstr(at + 1, ",\"seq\":")) {
        end = at; /* trials have one each: the reply's is behind them */
    }
    ck_assert_ptr_nonnull(end);
    ck_assert_int_eq(strncmp(reply, head, strlen(head)), 0);
    char *list =
        mem_strndup(reply + strlen(head), (size_t)(end - reply) - strlen(head));
    free(reply);
    return list;
}

/* A file's answer is one reply. */
static void same_as_of_the_file(const char *const *args)
{
    char db[512];
    const char *of_file[16];
    size_t n = 0;
    snprintf(db, sizeof(db), "%s/parzen.db", h.state);
    for (; args[n] != NULL; n++) {
        of_file[n] = args[n];
    }
    of_file[n] = "--db";
    of_file[n + 1] = db;
    of_file[n + 2] = NULL;
    char *paged = printed(args), *whole = printed(of_file);
    home_same(whole, paged, args[0]);
    free(paged);
    free(whole);
}

static void study_of_many(void)
{
    static const char *const two[] = {"--workers", "2", NULL};
    home_init(&h);
    home_start(&h, two);
    char *config = mem_printf(
        "{\"study\":\"many\",\"n_trials\":%d,\"objective\":{\"type\":"
        "\"function\",\"function\":\"sphere\"},\"sampler\":{\"type\":"
        "\"random\"},\"params\":{\"x\":{\"float\":[-1,1]}}}",
        N);
    home_post(&h, home_file(&h, "many.json", config));
    home_wait_state(&h, "many", "finished", END_S);
    free(config);
}

START_TEST(the_bytes_are_those_of_one_reply)
{
    static const char *const forms[][9] = {
        {"export", "many", "--csv", "-"},
        {"export", "many", "--json", "-"},
        {"trials", "many"},
        {"trials", "many", "--sort", "value", "--limit", "700"},
        {"trials", "many", "--limit", "700"},
        {"trials", "many", "--reverse", "--limit", "700"},
        {"trials", "many", "--reverse", "--limit", "7", "--state", "COMPLETE"},
        {"trials", "many", "--reverse", "--limit", "7", "--state", "FAIL"},
        {"--json", "trials", "many", "--sort", "x", "--reverse"},
        {"--json", "trials", "many", "--state", "FAIL"}};
    study_of_many();
    char *study = reply_of("/studies/many"),
         *trials = all_trials("/studies/many/trials"),
         *json = mem_printf("{\"study\":%s,\"trials\":%s}\n", study, trials),
         *list = mem_printf("%s\n", trials),
         *complete = all_trials("/studies/many/trials?state=COMPLETE"),
         *list_complete = mem_printf("%s\n", complete);
    char *got = PRINTED("export", "many", "--json", "-");
    home_same(json, got, "export --json");
    free(got);
    got = PRINTED("--json", "trials", "many");
    home_same(list, got, "trials");
    free(got);
    got = PRINTED("--json", "trials", "many", "--state", "COMPLETE");
    home_same(list_complete, got, "trials --state");
    free(got);
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        same_as_of_the_file(forms[i]);
    }
    free(study);
    free(trials);
    free(json);
    free(list);
    free(complete);
    free(list_complete);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_fini(&h);
}
END_TEST

/* They have no sequence to go on from. */
START_TEST(trials_of_optunas_come_too)
{
    static const char *const one[] = {"--workers", "1", NULL};
    home_init(&h);
    char *cp = mem_printf("mkdir -m 700 -p '%s' && "
                          "cp tests/golden/optuna-5.0.db '%s/parzen.db'",
                          h.state, h.state);
    ck_assert_int_eq(system(cp), 0);
    free(cp);
    home_start(&h, one);
    char *file = mem_printf("%s/s1.csv", h.dir),
         *says = mem_printf("{\"file\":\"%s\",\"trials\":8}\n", file);
    EXPECT(&h, 0, says, "--json", "export", "s1", "--csv", file);
    free(says);
    free(file);
    ck_assert_int_eq(home_stop_daemon(&h), 0);
    home_fini(&h);
}
END_TEST

/* --- one that answers as it is told --------------------------------------- */

/* What follows a word of the path as a number, or absent. */
static long number_in(const char *path, const char *word, long absent)
{
    const char *at = strstr(path, word);
    return at != NULL ? strtol(at + strlen(word), NULL, 10) : absent;
}

static void put_trials(struct buf *body, long from, long end)
{
    buf_str(body, "[");
    for (long i = from; i < end; i++) {
        buf_printf(body, "%s{\"number\":%ld,\"state\":\"COMPLETE\"}",
                   i > from ? "," : "", i);
    }
    buf_str(body, "]");
}

/* A study that has N trials, and N_ADDED more once the first page is out. */
static int growing_of(int study_id, const char *path, int n, struct buf *body)
{
    long from = number_in(path, "from=", -1), end = n < 2 ? N : N + N_ADDED,
         limit = number_in(path, "limit=", LONG_MAX);
    if (strchr(path, '?') == NULL) {
        buf_str(body, "{\"name\":\"s\",\"unit\":\"step\",\"params\":[]}");
        return 200;
    }
    if (from < 0 || limit > LIMIT_MAX) {
        buf_printf(body, "{\"error\":{\"message\":\"no page: %s\"}}", path);
        return 400;
    }
    buf_str(body, "{\"trials\":");
    put_trials(body, from, end - from > limit ? from + limit : end);
    buf_printf(body, ",\"study_id\":%d}", study_id);
    return 200;
}

static int growing(const char *path, int n, struct buf *body)
{
    return growing_of(1, path, n, body);
}

static int replaced_at_the_third(const char *path, int n, struct buf *body)
{
    return growing_of(n < 3 ? 1 : 2, path, n, body);
}

static int refusing_the_third(const char *path, int n, struct buf *body)
{
    if (n < 3) {
        return growing(path, n, body);
    }
    buf_str(body, "{\"error\":{\"code\":\"STORE\",\"message\":\"worn out\"}}");
    return 503;
}

static int dying_at_the_third(const char *path, int n, struct buf *body)
{
    if (n == 3) {
        _exit(0);
    }
    return growing(path, n, body);
}

/* Always the first page, as from one who does not know the question. */
static int repeating(const char *path, int n, struct buf *body)
{
    return growing(n == 0 ? path : "?from=0&limit=500", n, body);
}

START_TEST(a_trial_that_is_added_comes_once)
{
    struct buf list;
    home_init(&h);
    fix_daemon_start(&fake, h.state, growing);
    buf_init(&list, BUF_MAX_RESPONSE);
    put_trials(&list, 0, N + N_ADDED);
    buf_str(&list, "\n");
    char *got = PRINTED("--json", "trials", "s");
    home_same(list.data, got, "trials");
    free(got);
    ck_assert_int_ge(*fake.n_requests, 1 + N / LIMIT_MAX + 1);
    buf_fini(&list);
    fix_daemon_stop(&fake);
    home_fini(&h);
}
END_TEST

/* Also a daemon that has a list of the last ones. */
static int with_last(const char *path, int n, struct buf *body)
{
    long limit = number_in(path, "?limit=", -1);
    if (limit < 0) {
        return growing(path, n, body);
    }
    buf_str(body, "{\"trials\":");
    put_trials(body, N - limit, N);
    buf_str(body, ",\"study_id\":1}");
    return 200;
}

/* A limit of the first ones, or of the last ones, is one for the daemon. */
START_TEST(no_more_is_asked_for_than_is_wanted)
{
    static const struct {
        const char *args[8];
        int n_requests; /* with that for the study */
        const char *begin;
        size_t n;
    } cases[] = {
        {{"--limit", "3"}, 2, "[{\"number\":0,", 3},
        {{"--limit", "500"}, 2, "[{\"number\":0,", 500},
        {{"--limit", "501"}, 3, "[{\"number\":0,", 501},
        {{"--limit", "9000"}, 4, "[{\"number\":0,", N + N_ADDED},
        {{"--limit", "3", "--sort", "trial"}, 2, "[{\"number\":0,", 3},
        {{"--limit", "3", "--sort", "value"}, 4, "[{\"number\":0,", 3},
        {{"--limit", "3", "--reverse"}, 2, "[{\"number\":1202,", 3},
        {{"--limit", "501", "--reverse"}, 4, "[{\"number\":1209,", 501}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *args[16] = {"--json", "trials", "s"};
        size_t n = 0;
        memcpy(args + 3, cases[i].args, sizeof(cases[i].args));
        home_init(&h);
        fix_daemon_start(&fake, h.state, with_last);
        char *got = printed(args);
        for (const char *at = got; *at != '\0'; at++) {
            n += *at == '{';
        }
        ck_assert_int_eq(strncmp(got, cases[i].begin, strlen(cases[i].begin)),
                         0);
        ck_assert_uint_eq(n, cases[i].n);
        ck_assert_int_eq(*fake.n_requests, cases[i].n_requests);
        free(got);
        fix_daemon_stop(&fake);
        home_fini(&h);
    }
}
END_TEST

static const struct {
    fix_daemon_answer *answer;
    int code;
    const char *says;
} failures[] = {{refusing_the_third, 1, "parzen: worn out\n"},
                {dying_at_the_third, 3, "the daemon did not answer"},
                {replaced_at_the_third, 1, "was deleted meanwhile"},
                {repeating, 1, "trials from 500 on were asked for, not 0"}};

/* What is printed is nothing, and what was in a file stays. */
START_TEST(a_page_that_fails_leaves_nothing_behind)
{
    static const char *const forms[][6] = {{"export", "s", "--csv", NULL},
                                           {"export", "s", "--json", NULL},
                                           {"export", "s", "--csv", "-"},
                                           {"trials", "s"},
                                           {"--json", "trials", "s"}};
    home_init(&h);
    char *file = mem_printf("%s/kept", h.dir);
    struct stat st;
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        const char *args[6];
        memcpy(args, forms[i], sizeof(args));
        if (args[3] == NULL && strcmp(args[0], "export") == 0) {
            args[3] = file;
        }
        (void)home_file(&h, "kept", "old");
        fix_daemon_start(&fake, h.state, failures[_i].answer);
        struct outcome o = home_cli(&h, 30, args);
        fix_daemon_stop(&fake);
        ck_assert_int_eq(o.code, failures[_i].code);
        ck_assert_msg(strstr(o.err, failures[_i].says) != NULL, "%s", o.err);
        ck_assert_str_eq(o.out, "");
        outcome_fini(&o);
        char *socket = mem_printf("%s/sock", h.state);
        ck_assert_int_eq(unlink(socket), 0);
        free(socket);
        ck_assert_int_eq(stat(file, &st), 0);
        ck_assert_int_eq(st.st_size, 3);
    }
    char *rest = mem_printf("test $(ls -A '%s' | wc -l) = 2", h.dir);
    ck_assert_int_eq(system(rest), 0); /* the file, and the state */
    free(rest);
    free(file);
    home_fini(&h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/export_pages");
    TCase *c = tcase_create("export_pages");
    tcase_set_timeout(c, 180);
    tcase_add_test(c, the_bytes_are_those_of_one_reply);
    tcase_add_test(c, trials_of_optunas_come_too);
    tcase_add_test(c, a_trial_that_is_added_comes_once);
    tcase_add_test(c, no_more_is_asked_for_than_is_wanted);
    tcase_add_loop_test(c, a_page_that_fails_leaves_nothing_behind, 0,
                        (int)ARRAY_LEN(failures));
    suite_add_tcase(s, c);
    return s;
}
