/* A prepared file is trusted for nothing but its name: opening checks that the
 * bytes hash to it, then every size, offset, label and text, so that the
 * accessors may index without looking. */
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"
#include "core/data/dataset_image.h"

#include <stdlib.h>
#include <string.h>

static const mode_t FILE_MODE = 0600, FOLDER_MODE = 0700;

static char *path_of(const char *dir, const char *sha256)
{
    return mem_printf("%s/%s.dataset", dir, sha256);
}

int dataset_save(const struct dataset *d, const char *dir, char sha256[65],
                 struct err *err)
{
    char digest[HASH_HEX_SIZE];
    hash_bytes(d->image.at, d->image.len, digest);
    int rc = file_mkdirs(dir, FOLDER_MODE, err);
    if (rc != 0) {
        return rc;
    }
    char *path = path_of(dir, digest);
    rc = file_write_atomic(path, d->image.at, d->image.len, FILE_MODE, err);
    free(path);
    if (rc == 0) {
        memcpy(sha256, digest, sizeof(digest));
    }
    return rc;
}

/* --- verification: each returns what is wrong, or NULL --- */

static const char *check_header(struct dataset *d)
{
    if (d->image.len < sizeof(d->header)) {
        return "shorter than its header";
    }
    memcpy(&d->header, d->image.at, sizeof(d->header));
    if (memcmp(d->header.magic, DATASET_MAGIC, sizeof(d->header.magic)) != 0) {
        return "not a prepared dataset";
    }
    if (d->header.version != DATASET_VERSION) {
        return "of another version";
    }
    if (!dataset_layout(&d->header, &d->layout) ||
        d->layout.total != d->image.len) {
        return "its size does not fit its header";
    }
    if (d->header.n_test > d->header.n_rows) {
        return "more test rows than rows";
    }
    return d->header.n_rows == 0 || d->header.n_classes < 2
               ? "no rows, or fewer than 2 classes"
               : NULL;
}

/* From 0, never backwards, to the end of the section. */
static bool offsets_are_sound(const struct dataset *d, size_t section,
                              uint64_t n, uint64_t end)
{
    uint64_t last = 0;
    for (uint64_t i = 0; i <= n; i++) {
        uint64_t at;
        memcpy(&at, d->image.at + section + i * sizeof(at), sizeof(at));
        if (at < last || at > end || (i == 0 && at != 0)) {
            return false;
        }
        last = at;
    }
    return last == end;
}

static const char *check_classes(const struct dataset *d)
{
    const char *before = "";
    for (size_t i = 0; i < d->header.n_classes; i++) {
        struct span s =
            dataset_slice(d, d->layout.class_at, d->layout.classes, i);
        if (s.len < 2 || memchr(s.at, '\0', s.len) != s.at + s.len - 1 ||
            !utf8_is_valid(s.at, s.len)) {
            return "a class name is damaged";
        }
        if (strcmp(before, s.at) >= 0) {
            return "the class names are out of order";
        }
        before = s.at;
    }
    return NULL;
}

static const char *check_rows(const struct dataset *d)
{
    for (size_t i = 0; i < d->header.n_rows; i++) {
        int32_t label = dataset_label(d, i);
        if (label < 0 || (uint32_t)label >= d->header.n_classes) {
            return "a label is out of range";
        }
        struct span text = dataset_text(d, i);
        if (!utf8_is_valid(text.at, text.len)) {
            return "a text is not valid UTF-8";
        }
    }
    return NULL;
}

static const char *check_image(struct dataset *d, const char *sha256)
{
    char digest[HASH_HEX_SIZE];
    hash_bytes(d->image.at, d->image.len, digest);
    if (strcmp(digest, sha256) != 0) {
        return "its content does not have the hash in its name";
    }
    const char *wrong = check_header(d);
    if (wrong == NULL &&
        (!offsets_are_sound(d, d->layout.text_at, d->header.n_rows,
                            d->header.text_bytes) ||
         !offsets_are_sound(d, d->layout.class_at, d->header.n_classes,
                            d->header.class_bytes))) {
        wrong = "its offsets are damaged";
    }
    if (wrong == NULL) {
        wrong = check_classes(d);
    }
    return wrong == NULL ? check_rows(d) : wrong;
}

/* --- opening --- */

static bool is_hash(const char *s)
{
    return strlen(s) == HASH_HEX_SIZE - 1 &&
           strspn(s, "0123456789abcdef") == HASH_HEX_SIZE - 1;
}

static void count_rows(struct dataset *d)
{
    d->n_counts = d->header.n_classes;
    d->counts = mem_alloc(d->n_counts, sizeof(*d->counts));
    for (size_t i = 0; i < d->n_counts; i++) {
        d->counts[i].label = dataset_class(d, i);
    }
    for (size_t i = 0; i < d->header.n_rows; i++) {
        d->counts[dataset_label(d, i)].n++;
    }
    dataset_sort_counts(d->counts, d->n_counts);
}

int dataset_open(const char *dir, const char *sha256, struct dataset **out,
                 struct err *err)
{
    if (!is_hash(sha256)) {
        return err_set(err, ERR_INVALID,
                       "a prepared dataset is named by 64 hexadecimal digits");
    }
    char *path = path_of(dir, sha256);
    struct span image;
    int rc = file_map(path, &image, err);
    if (rc == 0) {
        struct dataset *d = mem_alloc(1, sizeof(*d));
        d->image = image;
        const char *wrong = check_image(d, sha256);
        if (wrong == NULL) {
            count_rows(d);
            *out = d;
        } else {
            rc = err_set(err, ERR_CORRUPT, "%s: %s", path, wrong);
            dataset_free(d);
        }
    }
    free(path);
    return rc;
}
