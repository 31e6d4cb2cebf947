#include "core/train/stash.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/mem.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const mode_t FILE_MODE = 0600, FOLDER_MODE = 0700;

#define MAGIC "PARZSTA1"

/* The content follows at once. */
struct header {
    char magic[8];            /* MAGIC without its NUL */
    char key[64], sha256[64]; /* of the content; digits without NUL */
    uint64_t n_bytes;         /* of the content */
    char zeros[48];           /* up to a multiple of 64 bytes */
};
_Static_assert(sizeof(struct header) % 16 == 0, "the content is aligned");

static char *path_of(const struct stash *s, const char *key)
{
    return mem_printf("%s/%s", s->dir, key);
}

void stash_key(const struct span *parts, size_t n, char key[STASH_KEY_SIZE])
{
    struct hash *h = hash_new();
    for (size_t i = 0; i < n; i++) { /* "ab" "c" is not "a" "bc" */
        uint64_t len = parts[i].len;
        hash_add(h, &len, sizeof(len));
        hash_add(h, parts[i].at, parts[i].len);
    }
    hash_finish(h, key);
}

static struct header header_of(const char *key, const struct span *parts,
                               size_t n)
{
    struct header h = {.magic = {0}};
    struct hash *hash = hash_new();
    char digest[HASH_HEX_SIZE];
    for (size_t i = 0; i < n; i++) {
        hash_add(hash, parts[i].at, parts[i].len);
        h.n_bytes += parts[i].len;
    }
    hash_finish(hash, digest);
    memcpy(h.magic, MAGIC, sizeof(h.magic));
    memcpy(h.key, key, sizeof(h.key));
    memcpy(h.sha256, digest, sizeof(h.sha256));
    return h;
}

/* --- reading -------------------------------------------------------------- */

static bool is_whole(const char *bytes, size_t len, const char *key)
{
    if (len < sizeof(struct header)) {
        return false;
    }
    const struct span content = {bytes + sizeof(struct header),
                                 len - sizeof(struct header)};
    struct header must = header_of(key, &content, 1);
    return memcmp(bytes, &must, sizeof(must)) == 0;
}

bool stash_open(const struct stash *s, const char *key, struct stash_file *out)
{
    /* In memory, not mapped: what is verified is what is used, whoever writes
     * to the file meanwhile. */
    char *bytes = NULL, *path = path_of(s, key);
    size_t len;
    bool found = file_load(path, s->max_bytes, &bytes, &len, NULL) == 0;
    if (found && !is_whole(bytes, len, key)) {
        free(bytes);
        found = false;
    }
    if (found) {
        (void)utimensat(AT_FDCWD, path, NULL, 0); /* it was used */
        *out = (struct stash_file){.bytes = bytes,
                                   .content = {bytes + sizeof(struct header),
                                               len - sizeof(struct header)}};
    }
    free(path);
    return found;
}

void stash_close(struct stash_file *f)
{
    free(f->bytes);
    *f = (struct stash_file){0};
}

/* --- the limit ------------------------------------------------------------ */

struct entry {
    char *name;
    uint64_t n_bytes;
    struct timespec used;
};

static int by_use(const void *a, const void *b)
{
    const struct timespec *x = &((const struct entry *)a)->used;
    const struct timespec *y = &((const struct entry *)b)->used;
    return x->tv_sec != y->tv_sec
               ? (x->tv_sec > y->tv_sec) - (x->tv_sec < y->tv_sec)
               : (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

/* What goes away meanwhile is of no interest. */
static struct entry *list(DIR *dir, size_t *n, uint64_t *n_bytes)
{
    struct entry *entries = NULL;
    const struct dirent *d;
    *n = 0;
    *n_bytes = 0;
    while ((d = readdir(dir)) != NULL) {
        struct stat st;
        if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            S_ISDIR(st.st_mode)) {
            continue;
        }
        entries = mem_grow(entries, *n + 1, sizeof(*entries));
        entries[(*n)++] = (struct entry){.name = mem_strdup(d->d_name),
                                         .n_bytes = (uint64_t)st.st_size,
                                         .used = st.st_mtim};
        *n_bytes += (uint64_t)st.st_size;
    }
    return entries;
}

static void keep_the_limit(const struct stash *s)
{
    DIR *dir = opendir(s->dir);
    if (dir == NULL) {
        return;
    }
    size_t n;
    uint64_t n_bytes;
    struct entry *entries = list(dir, &n, &n_bytes);
    if (n > 0) {
        qsort(entries, n, sizeof(*entries), by_use);
    }
    for (size_t i = 0; i < n; i++) {
        if (n_bytes > s->max_bytes &&
            unlinkat(dirfd(dir), entries[i].name, 0) == 0) {
            n_bytes -= entries[i].n_bytes;
        }
        free(entries[i].name);
    }
    free(entries);
    closedir(dir);
}

/* --- writing -------------------------------------------------------------- */

static int write_file(const char *path, const struct header *h,
                      const struct span *parts, size_t n, struct err *err)
{
    struct file_writer *w;
    int rc = file_writer_open(path, FILE_MODE, &w, err);
    if (rc != 0) {
        return rc;
    }
    file_writer_add(w, h, sizeof(*h));
    for (size_t i = 0; i < n; i++) {
        file_writer_add(w, parts[i].at, parts[i].len);
    }
    return file_writer_publish(w, err);
}

int stash_put(const struct stash *s, const char *key, const struct span *parts,
              size_t n, struct err *err)
{
    struct header h = header_of(key, parts, n);
    if (h.n_bytes > s->max_bytes || s->max_bytes - h.n_bytes < sizeof(h)) {
        return err_set(
            err, ERR_LIMIT, "%s: %llu bytes, it may hold %llu in all", s->dir,
            (unsigned long long)h.n_bytes, (unsigned long long)s->max_bytes);
    }
    int rc = file_mkdirs(s->dir, FOLDER_MODE, err);
    if (rc == 0) {
        char *path = path_of(s, key);
        rc = write_file(path, &h, parts, n, err);
        free(path);
    }
    if (rc == 0) {
        keep_the_limit(s);
    }
    return rc;
}
