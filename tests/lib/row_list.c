#include "tests/lib/row_list.h"

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
