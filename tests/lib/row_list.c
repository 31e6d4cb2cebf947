#include "tests/lib/row_list.h"
#include "core/base/mem.h"
#include "tests/lib/test_main.h"

#include <stdlib.h>
#include <string.h>

static int on_row(void *ctx, const struct row *row, struct err *err)
{
    struct row_list *l = ctx;
    if (l->n == l->refuse_after) {
        return err_set(err, ERR_LIMIT, "no more rows");
    }
    l->n++;
    buf_add(&l->text, row->text.at, row->text.len);
    buf_char(&l->text, '|');
    buf_add(&l->text, row->label.at, row->label.len);
    buf_char(&l->text, ';');
    return 0;
}

void row_list_init(struct row_list *l)
{
    *l = (struct row_list){.refuse_after = -1, .sink = {l, on_row}};
    buf_init(&l->text, 64 << 20);
    buf_str(&l->text, "");
}

void row_list_fini(struct row_list *l)
{
    buf_fini(&l->text);
}

int row_list_read(struct row_list *l, row_reader *read, const char *bytes,
                  size_t len, struct err *err)
{
    static const struct row_columns columns = {.text = "t", .label = "l"};
    /* A copy without a NUL: reading one byte too far is seen by ASan. */
    char *copy = mem_alloc(len, 1);
    memcpy(copy, bytes, len);
    const struct row_file file = {"x", {copy, len}};
    int rc = read(&file, &columns, &l->sink, err);
    free(copy);
    return rc;
}

/* --- what every reader must do --- */

static void read_all(struct row_list *l, row_reader *read, const char *bytes,
                     size_t len)
{
    struct err err = {0};
    row_list_init(l);
    int rc = row_list_read(l, read, bytes, len, &err);
    ck_assert_msg(rc == 0, "%s", err.msg);
}

void row_list_expect(row_reader *read, const char *text, const char *rows)
{
    struct row_list l;
    read_all(&l, read, text, strlen(text));
    ck_assert_str_eq(l.text.data, rows);
    row_list_fini(&l);
}

void row_list_refuses_bytes(row_reader *read, const char *bytes, size_t len,
                            const char *sentence)
{
    struct row_list l;
    struct err err = {0};
    row_list_init(&l);
    ck_assert_int_eq(row_list_read(&l, read, bytes, len, &err), ERR_INVALID);
    ck_assert_str_eq(err.msg, sentence);
    ck_assert_int_eq(err.code, ERR_INVALID);
    row_list_fini(&l);
}

void row_list_refuses(row_reader *read, const char *text, const char *sentence)
{
    row_list_refuses_bytes(read, text, strlen(text), sentence);
}

void row_list_expect_long(row_reader *read, const char *before, char c,
                          const char *after, size_t row_len)
{
    struct row_list l;
    struct buf text;
    buf_init(&text, ROW_LIST_LONG + 100);
    buf_str(&text, before);
    char *run = mem_alloc(ROW_LIST_LONG, 1);
    memset(run, c, ROW_LIST_LONG);
    buf_add(&text, run, ROW_LIST_LONG);
    buf_str(&text, after);
    read_all(&l, read, text.data, text.len);
    ck_assert_uint_eq(l.text.len, row_len);
    row_list_fini(&l);
    buf_fini(&text);
    free(run);
}

int row_list_cut(row_reader *read, const char *text)
{
    int n_good = 0;
    for (size_t len = 0; len < strlen(text); len++) {
        struct row_list l;
        struct err err = {0};
        row_list_init(&l);
        int rc = row_list_read(&l, read, text, len, &err);
        if (rc != 0) {
            ck_assert_int_eq(rc, ERR_INVALID);
            ck_assert_msg(strncmp(err.msg, "x: line ", 8) == 0, "%s", err.msg);
        }
        n_good += rc == 0;
        ck_assert_int_le(l.n, 2);
        row_list_fini(&l);
    }
    return n_good;
}

void row_list_change(row_reader *read, const char *text, const char *bytes,
                     size_t n)
{
    size_t len = strlen(text);
    char *copy = mem_strdup(text);
    for (size_t i = 0; i < len; i++) {
        for (size_t b = 0; b < n; b++) {
            struct row_list l;
            struct err err = {0};
            copy[i] = bytes[b];
            row_list_init(&l);
            int rc = row_list_read(&l, read, copy, len, &err);
            ck_assert(rc == 0 || rc == ERR_INVALID);
            row_list_fini(&l);
        }
        copy[i] = text[i];
    }
    free(copy);
}
