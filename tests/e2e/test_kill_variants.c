/* Each variant of the model and of its training, in float32 with one thread and
 * in bf16-mixed with two: studies that are killed again and again equal, bit
 * for bit, those that were left alone.
 *
 * SIGKILL goes to a worker, to the daemon or to both; SIGTERM to the daemon
 * leaves checkpoints in the middle of epochs. KILLS says how many in all
 * (default 8), SEED which moments. */
#include "core/base/mem.h"
#include "core/base/rng.h"
#include "core/nn/model.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FINISH_S = 120, MAX_ROUNDS = 200 };

static const char *const two_workers[] = {"--workers", "2", NULL};
static const char *const names[] = {"float32", "bf16"};

/* Everything that can be chosen is; random parameters do not depend on the
 * order in which trials end. */
static void post(const struct home *h, const char *name, int threads,
                 const char *precision)
{
    char *text = mem_printf(
        "{\"study\": \"%s\", \"n_trials\": 14, \"seed\": 5,"
        " \"threads_per_worker\": %d, \"sampler\": {\"type\": \"random\"},\n"
        " \"data\": {\"source\": \"%s/data.jsonl\", \"text\": \"text\","
        " \"label\": \"label\", \"split\": \"stratified\"},\n"
        " \"tokenizer\": {\"tokenizer_length\": 100,"
        " \"vocab_size\": {\"choice\": [280, 300]}},\n"
        " \"model\": {\"max_len\": 16, \"emb_dim\": {\"choice\": [8, 16]},"
        " \"num_heads\": {\"choice\": [1, 2]}, \"ffn_dim\": 16,"
        " \"num_layers\": {\"choice\": [1, 2]},"
        " \"residual\": {\"choice\": [\"add\", \"none\"]},"
        " \"norm\": {\"choice\": [\"pre\", \"post\"]},"
        " \"activation\": {\"choice\": [\"gelu\", \"relu\"]},"
        " \"pooling\": {\"choice\": [\"flatten\", \"mean\", \"max\","
        " \"first\"]},"
        " \"head1_dim\": {\"choice\": [0, 16]},"
        " \"head2_dim\": {\"choice\": [0, 8]},"
        " \"embedding_dropout\": {\"choice\": [0, 0.1]},"
        " \"attention_dropout\": {\"choice\": [0, 0.2]},"
        " \"ffn_dropout\": {\"choice\": [0, 0.3]},"
        " \"head_dropout\": {\"choice\": [0, 0.4]},"
        " \"mask\": {\"choice\": [\"padding\", \"notebook\"]},"
        " \"position\": {\"choice\": [\"learned\", \"sinusoid\"]}},\n"
        " \"training\": {\"max_epochs\": 3, \"lr\": 0.003,"
        " \"precision\": \"%s\", \"batch_size\": {\"choice\": [4, 7]},"
        " \"lr_schedule\": {\"choice\": [\"constant\", \"linear\","
        " \"cosine\"]}, \"warmup\": {\"choice\": [0, 0.3]},"
        " \"clip_norm\": {\"choice\": [0, 0.5]},"
        " \"label_smoothing\": {\"choice\": [0, 0.1]},"
        " \"merge_dropout\": {\"choice\": [0, 0.1]},"
        " \"class_weights\": {\"choice\": [\"none\", \"balanced\"]},"
        " \"early_stopping\": {\"monitor\": \"val-loss\","
        " \"patience\": {\"choice\": [1, 3]}}}}\n",
        name, threads, h->dir, precision);
    home_post(h, home_file(h, "config.json", text));
    free(text);
}

static void begin(struct home *h)
{
    home_init(h);
    home_data(h, 600, 5);
    home_start(h, two_workers);
    post(h, names[0], 1, "float32");
    post(h, names[1], 2, "bf16-mixed");
}

static bool is_finished(const struct home *h)
{
    return home_count(h, "SELECT count(*) FROM parzen_configs WHERE "
                         "state <> 'finished'") == 0;
}

/* What both studies came to; each choice must have been made. */
static void end(struct home *h, const char *context, char *results[2])
{
    for (int i = 0; i < 2; i++) {
        home_wait_state(h, names[i], "finished", FINISH_S);
    }
    ck_assert_int_eq(home_stop_daemon(h), 0);
    home_check(h, context);
    char *missing = home_sql(
        h, "SELECT param_name, count(DISTINCT param_value), json_array_length("
           "distribution_json, '$.attributes.choices') AS n FROM trial_params "
           "GROUP BY param_name, n HAVING count(DISTINCT param_value) < n");
    ck_assert_msg(missing[0] == '\0', "not every choice was made: %s", missing);
    free(missing);
    for (int i = 0; i < 2; i++) {
        results[i] = home_results(h, names[i]);
    }
}

/* --- killing -------------------------------------------------------------- */

enum victim { WORKER, DAEMON, BOTH, DRAINED };

/* Deaths without a new epoch are counted: a trial that died once where it
 * stands is spared. */
static enum victim choose(struct rng *r, const struct home *h)
{
    enum victim v = (enum victim)rng_below(r, 4);
    bool spares =
        v == WORKER &&
        home_count(h, "SELECT count(*) FROM parzen_trials x JOIN trials "
                      "USING (trial_id) WHERE state IN ('RUNNING', 'WAITING') "
                      "AND n_at_place > 0 AND place = (SELECT count(*) FROM "
                      "parzen_epochs e WHERE e.trial_id = x.trial_id)") > 0;
    return spares ? DAEMON : v;
}

static void kill_once(struct rng *r, struct home *h)
{
    pid_t workers[HOME_MAX_WORKERS];
    home_sleep_ms((int)rng_below(r, 1000));
    enum victim v = choose(r, h);
    int n = home_workers(h, workers);
    if ((v == WORKER || v == BOTH) && n > 0) {
        kill(workers[rng_below(r, (uint32_t)n)], SIGKILL);
    }
    if (v == DRAINED) {
        ck_assert_int_eq(home_stop_daemon(h), 0);
    } else if (v != WORKER) {
        home_kill_daemon(h);
    }
    if (v != WORKER) {
        home_start(h, two_workers);
    }
}

START_TEST(killed_variants_equal_those_left_alone)
{
    struct home h;
    struct rng r;
    char *expected[2], *got[2], context[64];
    long seed = home_env("SEED", 1), kills = home_env("KILLS", 8), done = 0;
    rng_stream(&r, (uint64_t)seed, 0, RNG_SPLIT, 8);
    begin(&h);
    end(&h, "left alone", expected);
    home_fini(&h);
    for (int i = 0; done < kills && i < MAX_ROUNDS; i++) {
        begin(&h);
        for (; done < kills && !is_finished(&h); done++) {
            kill_once(&r, &h);
        }
        snprintf(context, sizeof(context), "SEED=%ld after %ld kills", seed,
                 done);
        end(&h, context, got);
        for (int k = 0; k < 2; k++) {
            home_same(expected[k], got[k], context);
            free(got[k]);
        }
        home_fini(&h);
    }
    ck_assert_int_eq(done, kills);
    free(expected[0]);
    free(expected[1]);
}
END_TEST

/* The trial's log says which products it had. */
START_TEST(bf16_or_a_word_about_it)
{
    struct home h;
    home_init(&h);
    home_data(&h, 60, 2);
    home_start(&h, two_workers);
    post(&h, names[1], 1, "bf16-mixed");
    home_wait_state(&h, names[1], "finished", FINISH_S);
    char *log;
    int status = home_http(&h, "GET", "/studies/bf16/trials/0/log", NULL, &log);
    ck_assert_int_eq(status, 200);
    bool is_here = model_precision_is_here(MODEL_PRECISION_BF16_MIXED);
    ck_assert_int_eq(strstr(log, "this CPU has no AVX512-BF16") == NULL,
                     is_here);
    const char *kernels = model_kernels(MODEL_PRECISION_BF16_MIXED);
    char *named = mem_printf(", kernels %s, ", kernels);
    ck_assert_int_eq(strstr(kernels, " bf16") != NULL, is_here);
    ck_assert_ptr_nonnull(strstr(log, named));
    free(named);
    ck_assert_ptr_nonnull(strstr(log, "memory: "));
    free(log);
    EXPECT(&h, 0, "at most, ", "show", names[1], "0");
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM "
                                    "trial_user_attributes WHERE key = "
                                    "'peak_bytes' AND CAST(value_json AS "
                                    "INTEGER) > 1000000"),
                     14);
    home_fini(&h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/kill_variants");
    TCase *c = tcase_create("kill");
    tcase_set_timeout(c, 1200);
    tcase_add_test(c, killed_variants_equal_those_left_alone);
    tcase_add_test(c, bf16_or_a_word_about_it);
    suite_add_tcase(s, c);
    return s;
}
