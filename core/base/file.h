/* file: whole files, atomic replacement, directories, the daemon's lock. */
#ifndef CORE_BASE_FILE_H
#define CORE_BASE_FILE_H
#include "core/base/err.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
struct buf;

/* Append all of a regular file to out. LIMIT when it would pass out->max. */
MUST_CHECK int file_read(const char *path, struct buf *out, struct err *err);
/* The same for files of any size: *out (free) holds *len bytes and a NUL.
 * LIMIT above max bytes, or when memory does not hold them. */
MUST_CHECK int file_load(const char *path, size_t max, char **out, size_t *len,
                         struct err *err);
/* The same, of a file with more than max bytes only its last ones. */
MUST_CHECK int file_load_end(const char *path, size_t max, char **out,
                             size_t *len, bool *is_all, struct err *err);
/* Map a regular file for reading until file_unmap. Only for files that nobody
 * shortens in place: reading past a new end kills the process. */
MUST_CHECK int file_map(const char *path, struct span *out, struct err *err);
void file_unmap(struct span map);
/* Whole pages of this part of a map leave memory; read again, they come back
 * from the file. */
void file_forget(struct span part);
bool file_exists(const char *path);
/* What a mode says a name is: "a folder", "a pipe", .. */
const char *file_kind(mode_t mode);
/* SHA-256 and size of a file, read in pieces. */
MUST_CHECK int file_sha256(const char *path, char hex[65], uint64_t *size,
                           struct err *err);

/* Replace `path` by these bytes so that after any crash it holds either the
 * old content or the new: temporary in the same folder, fsync, rename, fsync
 * of the folder. Others may write the same path at the same time: the last
 * one's whole content stays. */
MUST_CHECK int file_write_atomic(const char *path, const void *bytes, size_t n,
                                 mode_t mode, struct err *err);

/* The same for content made piece by piece. Exactly one of commit and abort
 * ends a writer; both free it. A failed write is remembered and told by
 * commit, which then aborts. */
struct file_writer;
MUST_CHECK int file_writer_open(const char *path, mode_t mode,
                                struct file_writer **out, struct err *err);
void file_writer_add(struct file_writer *w, const void *bytes, size_t n);
/* sha256 may be NULL; else it gets the digest of all bytes added. */
MUST_CHECK int file_writer_commit(struct file_writer *w, char sha256[65],
                                  struct err *err);
void file_writer_abort(struct file_writer *w);
/* Ends a writer as commit does, but waits for no disk: after a crash of the
 * machine the file may be empty or torn. For files that can be made again and
 * tell themselves whether they are whole. */
MUST_CHECK int file_writer_publish(struct file_writer *w, struct err *err);

/* Make a folder and its parents. */
MUST_CHECK int file_mkdirs(const char *path, mode_t mode, struct err *err);
/* Remove a folder with everything in it; symbolic links are not followed.
 * A missing path is no error. */
MUST_CHECK int file_remove_tree(const char *path, struct err *err);

/* Take the lock file for the life of the process (an open-file-description
 * lock: the kernel gives it back at death, whatever kind of death) and write
 * our pid in it. CONFLICT names the holder's pid. *fd is kept open. */
MUST_CHECK int file_lock(const char *path, int *fd, struct err *err);
/* Take a folder itself in the same way (flock): unlike a file in it, it cannot
 * be removed and made anew meanwhile. CONFLICT when it is taken. */
MUST_CHECK int file_lock_folder(const char *path, int *fd, struct err *err);

#endif
