#include "tests/lib/fault_vfs.h"

#include <sqlite3.h>
#include <stddef.h>
#include <string.h>

static struct {
    enum fault_kind kind;
    bool armed, sticky;
    int countdown, n_failed;
} fault;

struct fault_file { /* the real file's struct follows it */
    sqlite3_file base;
    sqlite3_file *real;
};

static sqlite3_vfs *real_vfs;

static bool fails(bool is_write)
{
    if (!fault.armed || (fault.kind != FAULT_IO && !is_write)) {
        return false;
    }
    if (fault.countdown > 0) {
        fault.countdown--;
        return false;
    }
    fault.n_failed++;
    fault.armed = fault.sticky;
    return true;
}

static sqlite3_file *real_of(sqlite3_file *f)
{
    return ((struct fault_file *)f)->real;
}

/* --- operations that fail ------------------------------------------------- */

static bool grows(sqlite3_file *real, sqlite3_int64 end)
{
    sqlite3_int64 size = 0;
    return real->pMethods->xFileSize(real, &size) != SQLITE_OK || end > size;
}

static int on_write(sqlite3_file *f, const void *at, int n, sqlite3_int64 off)
{
    sqlite3_file *r = real_of(f);
    bool has_space = fault.kind == FAULT_GROWTH && !grows(r, off + n);
    if (!has_space && fails(true)) {
        if (fault.kind == FAULT_SHORT && n > 1) {
            (void)r->pMethods->xWrite(r, at, n / 2, off);
        }
        return fault.kind == FAULT_IO ? SQLITE_IOERR_WRITE : SQLITE_FULL;
    }
    return r->pMethods->xWrite(r, at, n, off);
}

static int on_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    sqlite3_file *r = real_of(f);
    if (fault.kind != FAULT_GROWTH && fails(true)) {
        return fault.kind == FAULT_IO ? SQLITE_IOERR_TRUNCATE : SQLITE_FULL;
    }
    return r->pMethods->xTruncate(r, size);
}

static int on_sync(sqlite3_file *f, int flags)
{
    /* No power is cut here, so nothing needs to reach the disk. */
    (void)f;
    (void)flags;
    return fails(false) ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

/* --- operations that pass ------------------------------------------------- */

static int on_close(sqlite3_file *f)
{
    sqlite3_file *r = real_of(f);
    return r->pMethods != NULL ? r->pMethods->xClose(r) : SQLITE_OK;
}

static int on_read(sqlite3_file *f, void *at, int n, sqlite3_int64 off)
{
    return real_of(f)->pMethods->xRead(real_of(f), at, n, off);
}

static int on_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return real_of(f)->pMethods->xFileSize(real_of(f), size);
}

static int on_lock(sqlite3_file *f, int lock)
{
    return real_of(f)->pMethods->xLock(real_of(f), lock);
}

static int on_unlock(sqlite3_file *f, int lock)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), lock);
}

static int on_check_lock(sqlite3_file *f, int *out)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int on_control(sqlite3_file *f, int op, void *arg)
{
    if (op == SQLITE_FCNTL_SIZE_HINT && fault.kind == FAULT_GROWTH &&
        grows(real_of(f), *(sqlite3_int64 *)arg) && fails(true)) {
        return SQLITE_FULL;
    }
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int on_sector(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int on_traits(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int on_shm_map(sqlite3_file *f, int region, int size, int extend,
                      void volatile **out)
{
    return real_of(f)->pMethods->xShmMap(real_of(f), region, size, extend, out);
}

static int on_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
    return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void on_shm_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int on_shm_unmap(sqlite3_file *f, int remove)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), remove);
}

static const sqlite3_io_methods METHODS = {
    .iVersion = 2,
    .xClose = on_close,
    .xRead = on_read,
    .xWrite = on_write,
    .xTruncate = on_truncate,
    .xSync = on_sync,
    .xFileSize = on_size,
    .xLock = on_lock,
    .xUnlock = on_unlock,
    .xCheckReservedLock = on_check_lock,
    .xFileControl = on_control,
    .xSectorSize = on_sector,
    .xDeviceCharacteristics = on_traits,
    .xShmMap = on_shm_map,
    .xShmLock = on_shm_lock,
    .xShmBarrier = on_shm_barrier,
    .xShmUnmap = on_shm_unmap,
};

static int on_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *f,
                   int flags, int *out_flags)
{
    (void)vfs;
    struct fault_file *file = (struct fault_file *)f;
    memset(file, 0, sizeof(*file));
    if (fails(false)) {
        return SQLITE_CANTOPEN;
    }
    file->real = (sqlite3_file *)&file[1];
    int rc = real_vfs->xOpen(real_vfs, name, file->real, flags, out_flags);
    /* Methods of a file that did not open: SQLite would call xClose. */
    file->base.pMethods = file->real->pMethods != NULL ? &METHODS : NULL;
    return rc;
}

void fault_vfs_install(void)
{
    static sqlite3_vfs vfs;
    if (real_vfs == NULL) {
        real_vfs = sqlite3_vfs_find(NULL);
        vfs = *real_vfs;
        vfs.pNext = NULL;
        vfs.zName = "fault";
        vfs.szOsFile = (int)sizeof(struct fault_file) + real_vfs->szOsFile;
        vfs.xOpen = on_open;
    }
    sqlite3_vfs_register(&vfs, 1);
}

void fault_vfs_arm(enum fault_kind kind, int countdown, bool sticky)
{
    fault.kind = kind;
    fault.countdown = countdown;
    fault.sticky = sticky;
    fault.n_failed = 0;
    fault.armed = true;
}

int fault_vfs_disarm(void)
{
    fault.armed = false;
    return fault.n_failed;
}
