/* The files are still those that were opened, and nothing of them is cut off.
 *
 * A file that is removed or replaced while it is open goes on taking commits
 * that nobody will ever find; one that is emptied in place (`: >parzen.db-wal`)
 * takes them behind a hole, and is worth nothing to the next start. So the
 * names are looked at after each commit, before anything is said, what the
 * files hold before each commit and after, and both at every tick. (Without the
 * WAL's index another program does not see us at work, and moves the WAL under
 * our feet.) What is open holds every row then, or most of them, so it is
 * copied to PATH.rescued-SEQ before the daemon ends.
 *
 * How long they must be, whatever Optuna, sqlite3 or a backup tool does:
 * - The WAL has room for the frames that its index counts: they are written
 *   before it counts them, and who truncates or begins anew sets the index
 *   first. So what is too short by one and the same header of the index, read
 *   before and after the length, is cut off.
 * - The database has the pages that it had when we last moved all of the WAL
 *   to it. Only another's VACUUM makes it smaller; so one that is smaller is
 *   not empty and has whole pages, or is cut off.
 *
 * A file may be cut off while we write to it, and is long enough once more when
 * it is looked at: then it has a hole. So it is looked for what must be there:
 * - in the WAL its header, and the last frame that the look before saw (in a
 *   WAL begun anew since: the first); the index still counts that frame, or an
 *   older copy stands in its place;
 * - in the database some places that held something when all of the WAL had
 *   been moved. What became all zeros there may have been right (a page that
 *   holds such a text now); the pages say. Not seen is a hole in a database
 *   whose places were all written by the move that met it. */
#include "core/base/mem.h"
#include "daemon/store_priv.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

enum { DATABASE, WAL, INDEX };
static const char *const SUFFIX[STORE_N_FILES] = {"", "-wal", "-shm"};

/* Nothing but number and size is asked for: since Linux 6.13 a file whose times
 * were looked at has them written, by the next sync, at the next change. */
static struct store_place place_of(const struct store *s, int which)
{
    struct statx st;
    char *path = mem_printf("%s%s", s->path, SUFFIX[which]);
    bool is_there = statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW,
                          STATX_INO | STATX_SIZE, &st) == 0;
    free(path);
    return is_there ? (struct store_place){makedev(st.stx_dev_major,
                                                   st.stx_dev_minor),
                                           st.stx_ino, (int64_t)st.stx_size}
                    : (struct store_place){0};
}

static bool is_ours(const struct store *s, int which,
                    const struct store_place *now)
{
    const struct store_place *then = &s->places[which];
    return now->inode == then->inode && now->device == then->device;
}

/* --- how long the WAL must be --------------------------------------------- */

/* https://sqlite.org/walformat.html: the index begins with two copies of a
 * header; a WAL has a header, and one for each frame. */
enum {
    INDEX_BYTES = 32768,
    HEADER_BYTES = 48,
    AT_PAGE_BYTES = 14, /* 2 bytes; 1: 65536 */
    AT_FRAMES = 16,     /* 4 bytes */
    AT_SALT = 32,       /* 8 bytes, as they are in the WAL */
    WAL_HEADER_BYTES = 32,
    AT_WAL_SALT = 16,
    FRAME_HEADER_BYTES = 24,
    AT_FRAME_SALT = 8
};

/* False: there is none, or somebody is writing it. Read where SQLite has it
 * mapped: to open and close the file would drop its locks. */
static bool read_index(const struct store *s, unsigned char out[HEADER_BYTES])
{
    sqlite3_file *file = NULL;
    void volatile *map = NULL;
    if (sqlite3_file_control(s->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) !=
            SQLITE_OK ||
        file->pMethods == NULL || file->pMethods->iVersion < 2 ||
        file->pMethods->xShmMap(file, 0, INDEX_BYTES, 0, &map) != SQLITE_OK ||
        map == NULL) {
        return false;
    }
    const unsigned char *at = (const unsigned char *)map;
    memcpy(out, at, HEADER_BYTES);
    file->pMethods->xShmBarrier(file);
    return memcmp(out, at + HEADER_BYTES, HEADER_BYTES) == 0;
}

static uint32_t frames_of(const unsigned char index[HEADER_BYTES])
{
    uint32_t n;
    memcpy(&n, index + AT_FRAMES, sizeof(n));
    return n;
}

/* Where the frame after the first n begins. */
static int64_t end_of_frames(const unsigned char index[HEADER_BYTES],
                             uint32_t n)
{
    uint16_t page_bytes;
    memcpy(&page_bytes, index + AT_PAGE_BYTES, sizeof(page_bytes));
    int64_t page = page_bytes == 1 ? 65536 : page_bytes;
    return WAL_HEADER_BYTES + n * (FRAME_HEADER_BYTES + page);
}

/* Of one of SQLite's open files; zeros beyond its end. False: it cannot be
 * read, which is SQLite's to say. */
static bool read_bytes(const struct store *s, int which_file, int64_t offset,
                       void *out, int n)
{
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(s->db, "main", which_file, &file) != SQLITE_OK ||
        file == NULL || file->pMethods == NULL) {
        return false;
    }
    int rc = file->pMethods->xRead(file, out, n, offset);
    return rc == SQLITE_OK || rc == SQLITE_IOERR_SHORT_READ;
}

static bool has_salt(const struct store *s, int64_t offset,
                     const unsigned char salt[STORE_SALT_BYTES])
{
    unsigned char there[STORE_SALT_BYTES];
    return !read_bytes(s, SQLITE_FCNTL_JOURNAL_POINTER, offset, there,
                       sizeof(there)) ||
           memcmp(there, salt, sizeof(there)) == 0;
}

static bool is_as_seen(const struct store *s,
                       const unsigned char index[HEADER_BYTES])
{
    return s->seen.n_frames > 0 &&
           memcmp(index + AT_SALT, s->seen.salt, STORE_SALT_BYTES) == 0;
}

/* An index of the same WAL that counts fewer frames: SQLite would write over
 * those that it does not know. */
static bool has_forgotten(const struct store *s,
                          const unsigned char index[HEADER_BYTES])
{
    return is_as_seen(s, index) && frames_of(index) < s->seen.n_frames;
}

/* The header, and the last frame that was seen or, in a WAL begun anew, the
 * first. */
static bool has_what_was_seen(const struct store *s,
                              const unsigned char index[HEADER_BYTES])
{
    const unsigned char *salt = index + AT_SALT;
    uint32_t n = frames_of(index);
    uint32_t at = is_as_seen(s, index) ? s->seen.n_frames : 1;
    return n == 0 ||
           (has_salt(s, AT_WAL_SALT, salt) &&
            has_salt(s, end_of_frames(index, at - 1) + AT_FRAME_SALT, salt));
}

static bool is_wal_cut(struct store *s)
{
    unsigned char before[HEADER_BYTES], after[HEADER_BYTES];
    if (!read_index(s, before)) {
        return false;
    }
    struct store_place now = place_of(s, WAL);
    if (!is_ours(s, WAL, &now)) {
        return false;
    }
    uint32_t n = frames_of(before);
    bool is_whole = !has_forgotten(s, before) &&
                    (n == 0 || now.bytes >= end_of_frames(before, n)) &&
                    has_what_was_seen(s, before);
    if (is_whole) {
        s->seen.n_frames = n;
        memcpy(s->seen.salt, before + AT_SALT, STORE_SALT_BYTES);
    }
    return !is_whole && read_index(s, after) &&
           memcmp(before, after, HEADER_BYTES) == 0;
}

/* --- how long the database must be ---------------------------------------- */

static const unsigned char NOTHING[STORE_SAMPLE_BYTES];

static bool is_nothing(const unsigned char sample[STORE_SAMPLE_BYTES])
{
    return memcmp(sample, NOTHING, STORE_SAMPLE_BYTES) == 0;
}

/* The i-th of places at even distances, the first of them at 0. */
static bool read_sample(const struct store *s, int64_t bytes, int i,
                        unsigned char out[STORE_SAMPLE_BYTES])
{
    int64_t page = bytes / STORE_PAGE_BYTES * i / STORE_N_SAMPLES;
    return read_bytes(s, SQLITE_FCNTL_FILE_POINTER, page * STORE_PAGE_BYTES,
                      out, STORE_SAMPLE_BYTES);
}

static bool has_samples(const struct store *s)
{
    unsigned char now[STORE_SAMPLE_BYTES];
    for (int i = 0; i < STORE_N_SAMPLES; i++) {
        if (s->had_something[i] && read_sample(s, s->sampled_bytes, i, now) &&
            is_nothing(now)) {
            return false;
        }
    }
    return true;
}

static void take_samples(struct store *s)
{
    unsigned char now[STORE_SAMPLE_BYTES];
    s->sampled_bytes = s->least_bytes;
    for (int i = 0; i < STORE_N_SAMPLES; i++) {
        s->had_something[i] =
            read_sample(s, s->sampled_bytes, i, now) && !is_nothing(now);
    }
}

void store_remember_size(struct store *s)
{
    struct err err;
    int64_t bytes = place_of(s, DATABASE).bytes, in_pages;
    if (!has_samples(s)) {
        return; /* the next look says */
    }
    int rc = store_query_int(s,
                             "SELECT page_count * page_size"
                             " FROM pragma_page_count, pragma_page_size",
                             &in_pages, &err);
    /* The room by which it grows is no part of it: others cut that off. */
    s->least_bytes = rc == 0 && in_pages < bytes ? in_pages : bytes;
    take_samples(s);
}

static bool is_database_cut(struct store *s)
{
    struct err err;
    struct store_place now = place_of(s, DATABASE);
    if (!is_ours(s, DATABASE, &now) ||
        (now.bytes >= s->least_bytes && has_samples(s))) {
        return false;
    }
    int rc = now.bytes > 0 ? store_pages_check_anew(s, &err) : ERR_CORRUPT;
    if (rc == 0) {
        s->least_bytes = now.bytes;
        take_samples(s);
    }
    return rc == ERR_CORRUPT;
}

bool store_is_cut(struct store *s, int *which)
{
    *which = DATABASE;
    if (s->places[DATABASE].inode != 0 && is_database_cut(s)) {
        return true;
    }
    *which = WAL;
    return s->places[WAL].inode != 0 && is_wal_cut(s);
}

/* --- all of it ------------------------------------------------------------ */

void store_remember_places(struct store *s)
{
    for (int i = 0; i < STORE_N_FILES && s->dir != NULL; i++) {
        s->places[i] = place_of(s, i);
    }
    store_remember_size(s);
}

/* Perhaps all of the folder is being removed, on purpose: a copy would be in
 * the way of that. Is the folder still there after a while? */
static bool keeps_its_folder(const struct store *s)
{
    const struct timespec while_rm_works = {.tv_nsec = 300000000};
    nanosleep(&while_rm_works, NULL);
    return s->dir == NULL || access(s->dir, F_OK) == 0;
}

/* What is committed, from the open files, under a name of its own. What was put
 * and not flushed was never said. */
static int lose(struct store *s, int which, const char *what, const char *how,
                struct err *err)
{
    struct err why;
    s->is_lost = true;
    if (s->is_open) {
        store_undo(s);
    }
    if (!keeps_its_folder(s)) {
        return err_set(err, ERR_CORRUPT,
                       "%s: was removed, with its folder, while it was in use",
                       s->path);
    }
    char *to = mem_printf("%s.rescued-%" PRId64, s->path, s->put_seq);
    int rc = store_copy_to(s, to, &why);
    rc = err_set(
        err, ERR_CORRUPT, "%s%s: %s while it was in use; %s%s", s->path,
        SUFFIX[which], what,
        rc == 0 ? how : "and it could not be copied: ", rc == 0 ? to : why.msg);
    free(to);
    return rc;
}

int store_still_whole(struct store *s, struct err *err)
{
    int which;
    return store_is_cut(s, &which)
               ? lose(s, which, "was cut off or overwritten",
                      "what can still be read of it is in ", err)
               : 0;
}

int store_still_there(struct store *s, struct err *err)
{
    for (int i = 0; i < STORE_N_FILES; i++) {
        struct store_place now = place_of(s, i);
        if (s->places[i].inode != 0 && !is_ours(s, i, &now)) {
            return lose(s, i, "was removed or replaced",
                        "all that was committed is in ", err);
        }
    }
    store_acked_keep(s);
    return store_still_whole(s, err);
}
