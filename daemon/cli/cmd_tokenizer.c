/* tokenizer: section 2 of the notebook: train, encode, inspect. */
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/spec/run.h"
#include "core/text/bpe.h"
#include "core/text/tokenizer_json.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/clock.h"
#include "daemon/cli/cmd.h"
#include "daemon/cli/format.h"
#include "daemon/cli/table.h"
#include "daemon/cli/target.h"
#include "daemon/cli/texts.h"
#include "daemon/cli/width.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEY_FIELD = 1, KEY_TEXTS, KEY_OUT, KEY_FILE, KEY_VOCAB, KEY_MIN };
enum { SHOWN = 15, MIDDLE = 1000 };

struct input {
    const char *field, *file, *out;
    int64_t n_texts; /* 0: all */
    struct bpe_options bpe;
};

static const struct argp_option options[] = {
    {"field", KEY_FIELD, "COLUMN", 0, "column of the texts (default: text)", 0},
    {"texts", KEY_TEXTS, "N", 0, "take the first N texts (default: all)", 0},
    {"out", KEY_OUT, "FILE", 0,
     "train: write it there (default: tokenizer.json)", 0},
    {"vocab-size", KEY_VOCAB, "N", 0,
     "train: largest vocabulary (default 50000)", 0},
    {"min-frequency", KEY_MIN, "N", 0,
     "train: rarer pairs are not merged (default 0)", 0},
    {"file", KEY_FILE, "FILE", 0,
     "encode: the data file; - is a text per line of standard input, the "
     "default without TEXT",
     0},
    {0},
};

static void on_option(int key, const char *arg, struct argp_state *state,
                      void *ctx)
{
    struct input *in = ctx;
    const struct run_field *vocab = &RUN_FIELD[RUN_FIELD_vocab_size];
    switch (key) {
    case KEY_FIELD:
        in->field = arg;
        return;
    case KEY_TEXTS:
        in->n_texts = cli_number(state, "texts", arg, 1, 1000000000);
        return;
    case KEY_OUT:
        in->out = arg;
        return;
    case KEY_VOCAB:
        in->bpe.vocab_size =
            (int32_t)cli_number(state, "vocab-size", arg, (int64_t)vocab->low,
                                (int64_t)vocab->high);
        return;
    case KEY_MIN:
        in->bpe.min_frequency =
            (int32_t)cli_number(state, "min-frequency", arg, 0, 1000000000);
        return;
    default:
        in->file = arg;
    }
}

static const struct cli_command command = {
    .name = "tokenizer",
    .args = "train DATA_FILE\nencode TOKENIZER_JSON [TEXT...]\ninspect "
            "TOKENIZER_JSON",
    .doc = "Trains a byte-level BPE tokenizer and writes it as Hugging Face's "
           "tokenizer.json, turns texts into ids, shows what a tokenizer "
           "learned.",
    .n_min = 2,
    .n_max = -1,
    .options = options,
    .on_option = on_option};

/* --- train ---------------------------------------------------------------- */

static int write_tokenizer(const struct bpe *t, const char *path,
                           struct err *err)
{
    struct buf text;
    buf_init(&text, BUF_MAX_TOKENIZER);
    tokenizer_json_write(t, &text);
    int rc =
        text.overflow
            ? err_set(err, ERR_LIMIT, "%s: the tokenizer is too large", path)
            : file_write_atomic(path, text.data, text.len, 0644, err);
    buf_fini(&text);
    return rc;
}

static void tell_trained(const struct cli *c, const struct input *in,
                         const struct bpe *t, size_t n_texts, double took)
{
    char time[FORMAT_SIZE];
    format_duration((int64_t)(1000.0 * took), time);
    if (c->json) {
        printf("{\"vocab_size\":%d,\"merges\":%zu,\"texts\":%zu,"
               "\"seconds\":%.6f}\n",
               (int)bpe_vocab_size(t), bpe_n_merges(t), n_texts, took);
    }
    cli_say(c, "%s: %d tokens (%zu merges) from %zu texts in %s", in->out,
            (int)bpe_vocab_size(t), bpe_n_merges(t), n_texts, time);
}

static int train(struct cli *c, const char *path, const struct input *in,
                 struct err *err)
{
    struct texts texts;
    struct bpe *t;
    int rc = target_file(c, in->out, err);
    rc = rc == 0 ? texts_read(path, in->field, (size_t)in->n_texts, &texts, err)
                 : rc;
    if (rc != 0) {
        return rc;
    }
    double begin = clock_now_s();
    rc = bpe_train(texts.spans, texts.n, &in->bpe, &t, err);
    double took = clock_now_s() - begin;
    if (rc == 0) {
        rc = write_tokenizer(t, in->out, err);
        if (rc == 0) {
            tell_trained(c, in, t, texts.n, took);
        }
        bpe_free(t);
    }
    texts_fini(&texts);
    return rc;
}

/* --- encode --------------------------------------------------------------- */

static int open_tokenizer(const char *path, struct bpe **out, struct err *err)
{
    struct buf text;
    buf_init(&text, BUF_MAX_TOKENIZER);
    int rc = file_read(path, &text, err);
    if (rc == 0) {
        rc = tokenizer_json_read((struct span){text.data, text.len}, out, err);
        if (rc != 0) {
            err_wrap(err, "%s", path);
        }
    } else if (rc == ERR_NOTFOUND) {
        rc = err->code = ERR_INVALID;
    }
    buf_fini(&text);
    return rc;
}

static void put_ids(const int32_t *ids, size_t n, bool json)
{
    fputs(json ? "[" : "", stdout);
    for (size_t i = 0; i < n; i++) {
        printf(i == 0 ? "%d" : json ? ",%d" : " %d", (int)ids[i]);
    }
    fputs(json ? "]" : "\n", stdout);
}

/* One line of ids per text, or one list of lists. */
static int encode_all(const struct cli *c, struct bpe_encoder *e,
                      const struct texts *texts, struct err *err)
{
    fputs(c->json ? "[" : "", stdout);
    for (size_t i = 0; i < texts->n; i++) {
        struct span text = texts->spans[i];
        size_t n;
        int32_t *ids = mem_try(text.len + 1, sizeof(*ids));
        if (ids == NULL) {
            return err_set(err, ERR_LIMIT, "text %zu is too long", i);
        }
        int rc = bpe_encode(e, text, ids, text.len, &n, err);
        if (rc != 0) {
            free(ids);
            return err_wrap(err, "text %zu", i);
        }
        fputs(c->json && i > 0 ? "," : "", stdout);
        put_ids(ids, n, c->json);
        free(ids);
    }
    fputs(c->json ? "]\n" : "", stdout);
    return 0;
}

/* Where texts come from: these words, a data file, or standard input. */
static int take_texts(const struct input *in, char *const *words, int n,
                      struct texts *out, struct err *err)
{
    if (n > 0 && in->file != NULL) {
        return err_set(err, ERR_INVALID,
                       "tokenizer encode: texts and --file exclude each other");
    }
    if (n > 0) {
        return texts_words(words, (size_t)n, out, err);
    }
    return in->file == NULL || strcmp(in->file, "-") == 0
               ? texts_lines(STDIN_FILENO, "standard input",
                             (size_t)in->n_texts, out, err)
               : texts_read(in->file, in->field, (size_t)in->n_texts, out, err);
}

static int encode(struct cli *c, const char *path, char *const *words, int n,
                  const struct input *in, struct err *err)
{
    struct texts texts;
    struct bpe *t;
    int rc = open_tokenizer(path, &t, err);
    if (rc != 0) {
        return rc;
    }
    rc = take_texts(in, words, n, &texts, err);
    if (rc == 0) {
        struct bpe_encoder *e = bpe_encoder_new(t);
        rc = encode_all(c, e, &texts, err);
        bpe_encoder_free(e);
        texts_fini(&texts);
    }
    bpe_free(t);
    return rc;
}

/* --- inspect -------------------------------------------------------------- */

/* The bytes of a token as text in quotes: what is no whole character escaped.
 */
static char *token_text(const struct bpe *t, int32_t id)
{
    struct buf b;
    struct span bytes = bpe_token_bytes(t, id);
    buf_init(&b, BUF_MAX_TOKENIZER);
    buf_char(&b, '\'');
    width_printable(&b, bytes.at, bytes.len);
    buf_char(&b, '\'');
    return buf_take(&b);
}

/* The table of ids first .. first + SHOWN - 1, as far as they are there. */
static void print_tokens(const struct cli *c, const struct bpe *t,
                         int32_t first)
{
    struct table *table = table_new();
    table_right(table, "id");
    table_left(table, "token");
    for (int32_t id = first; id < first + SHOWN && id < bpe_vocab_size(t);
         id++) {
        char *text = token_text(t, id);
        table_cellf(table, TERM_DIM, "%d", (int)id);
        table_cell(table, TERM_PLAIN, text);
        free(text);
    }
    table_print(table, &c->out);
    table_free(table);
}

/* Malformed bytes cannot stand in JSON: tokens are shown as texts there too. */
static void put_tokens(struct json_out *w, const struct bpe *t)
{
    json_put_key(w, "tokens");
    json_open(w, '[');
    for (int32_t id = 0; id < bpe_vocab_size(t); id++) {
        struct span bytes = bpe_token_bytes(t, id);
        struct buf b;
        buf_init(&b, BUF_MAX_TOKENIZER);
        width_printable(&b, bytes.at, bytes.len);
        json_put_string(w, b.data != NULL ? b.data : "");
        buf_fini(&b);
    }
    json_close(w, ']');
}

static void inspect_json(const struct bpe *t)
{
    struct buf text;
    struct json_out w;
    buf_init(&text, BUF_MAX_RESPONSE);
    json_out_init(&w, &text, JSON_COMPACT);
    json_open(&w, '{');
    json_put_key(&w, "vocab_size");
    json_put_int(&w, bpe_vocab_size(t));
    json_put_key(&w, "merges");
    json_put_int(&w, (int64_t)bpe_n_merges(t));
    put_tokens(&w, t);
    json_close(&w, '}');
    printf("%s\n", text.data);
    buf_fini(&text);
}

static int inspect(struct cli *c, const char *path, struct err *err)
{
    struct bpe *t;
    int rc = open_tokenizer(path, &t, err);
    if (rc != 0) {
        return rc;
    }
    int32_t n = bpe_vocab_size(t);
    if (c->json) {
        inspect_json(t);
    } else {
        printf("%d tokens, %zu merges\n\n", (int)n, bpe_n_merges(t));
        print_tokens(c, t, 0);
        if (n > MIDDLE) {
            printf("\n");
            print_tokens(c, t, MIDDLE);
        }
        if (n > MIDDLE + SHOWN) {
            printf("\n");
            print_tokens(
                c, t, n - SHOWN > MIDDLE + SHOWN ? n - SHOWN : MIDDLE + SHOWN);
        }
    }
    bpe_free(t);
    return 0;
}

int cmd_tokenizer(struct cli *c, int argc, char **argv)
{
    struct input in = {
        .field = "text",
        .out = "tokenizer.json",
        .bpe = {.vocab_size = 50000, .min_frequency = 0},
    };
    struct err err;
    int rc;
    int n = cli_parse(c, &command, argc, argv, &in);
    bool is_encode = strcmp(argv[1], "encode") == 0;
    if (n > 2 && !is_encode) {
        rc = err_set(&err, ERR_INVALID,
                     "tokenizer %s: '%s' is one argument too many", argv[1],
                     argv[3]);
    } else if (strcmp(argv[1], "train") == 0) {
        rc = train(c, argv[2], &in, &err);
    } else if (is_encode) {
        rc = encode(c, argv[2], argv + 3, n - 2, &in, &err);
    } else if (strcmp(argv[1], "inspect") == 0) {
        rc = inspect(c, argv[2], &err);
    } else {
        rc = err_set(&err, ERR_INVALID,
                     "tokenizer: '%s' is not one of train, encode, inspect",
                     argv[1]);
    }
    return rc != 0 ? cli_fail_here(c, &err) : CLI_OK;
}
