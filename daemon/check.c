/* A daemon may be at work between two queries, or replace a checkpoint while it
 * is read: only what two looks agree on is a finding. */
#include "daemon/check.h"
#include "core/base/buf.h"
#include "core/base/file.h"
#include "core/base/paths.h"
#include "daemon/store.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FINDINGS_MAX = 16 << 20, BETWEEN_S = 1 };

static int look(const char *db, struct buf *out, struct err *err)
{
    struct store *s;
    int rc = store_open_readonly(db, &s, err);
    if (rc == 0) {
        store_check(s, out);
        store_close(s);
    }
    return rc;
}

static bool has_line(const struct buf *text, const char *line, size_t n)
{
    for (size_t at = 0; at < text->len;) {
        size_t len = strcspn(text->data + at, "\n");
        if (len == n && memcmp(text->data + at, line, n) == 0) {
            return true;
        }
        at += len + 1;
    }
    return false;
}

static int print_common(const struct buf *a, const struct buf *b)
{
    int n = 0;
    for (size_t at = 0; at < a->len;) {
        size_t len = strcspn(a->data + at, "\n");
        if (has_line(b, a->data + at, len)) {
            printf("%.*s\n", (int)len, a->data + at);
            n++;
        }
        at += len + 1;
    }
    return n;
}

int check_state(const char *state_dir, int *n_findings, struct err *err)
{
    char *db = paths_in_state(state_dir, "parzen.db");
    struct buf first, second;
    *n_findings = 0;
    char *acked = paths_in_state(state_dir, "parzen.db-acked");
    bool is_new = !file_exists(db) && !file_exists(acked);
    free(acked);
    if (is_new) {
        free(db);
        return 0;
    }
    buf_init(&first, FINDINGS_MAX);
    buf_init(&second, FINDINGS_MAX);
    int rc = look(db, &first, err);
    if (rc == 0 && first.len > 0) {
        sleep(BETWEEN_S);
        rc = look(db, &second, err);
    }
    if (rc == 0) {
        *n_findings = print_common(&first, &second);
    }
    buf_fini(&first);
    buf_fini(&second);
    free(db);
    return rc;
}
