/* A full disk: the study waits, says why, loses nothing, and goes on by itself
 * once there is room. The state directory is a small tmpfs (as root, else in a
 * mount namespace of its own; skipped where neither is allowed). */
#include "core/base/mem.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DISK_MB = 24, FINISH_S = 120 };

static struct home h;
static const char *const two[] = {"--workers", "2", NULL};

static void map_id(const char *path, unsigned inside, unsigned outside)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "%u %u 1", inside, outside);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t ignored = fd >= 0 ? write(fd, text, (size_t)n) : 0;
    (void)ignored;
    close(fd);
}

/* A mount namespace of this process's own: its mounts vanish with it. */
static bool enter_namespace(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (uid == 0) {
        return unshare(CLONE_NEWNS) == 0 &&
               mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    }
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        return false;
    }
    int fd = open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC);
    ssize_t ignored = fd >= 0 ? write(fd, "deny", 4) : 0;
    (void)ignored;
    close(fd);
    map_id("/proc/self/uid_map", 0, uid);
    map_id("/proc/self/gid_map", 0, gid);
    return true;
}

/* STATE on a disk of DISK_MB; false: not allowed here. */
static bool begin(void)
{
    char options[64];
    home_init(&h);
    home_data(&h, 400, 4);
    ck_assert_int_eq(mkdir(h.state, 0700), 0);
    snprintf(options, sizeof(options), "size=%dm,mode=0700", DISK_MB);
    if (!enter_namespace() ||
        mount("none", h.state, "tmpfs", 0, options) != 0) {
        printf("SKIPPED: e2e/disk_full needs to mount a tmpfs\n");
        return false;
    }
    return true;
}

static void end(void)
{
    if (h.daemon > 0) {
        ck_assert_int_eq(home_stop_daemon(&h), 0);
        home_check(&h, "disk full");
    }
    umount2(h.state, MNT_DETACH);
    home_fini(&h);
}

/* Fill the disk to its last byte but `room`; returns the file's path. */
static const char *fill(off_t room)
{
    static char path[400], block[4096];
    snprintf(path, sizeof(path), "%s/ballast", h.state);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    off_t n = 0;
    ssize_t written;
    while ((written = write(fd, block, sizeof(block))) > 0) {
        n += written;
    }
    ck_assert_int_eq(ftruncate(fd, n > room ? n - room : 0), 0);
    close(fd);
    return path;
}

static bool health_says(const char *what, int timeout_ms)
{
    for (int waited = 0; waited <= timeout_ms; waited += 50) {
        char *reply;
        int status = home_http(&h, "GET", "/health", NULL, &reply);
        ck_assert_int_eq(status, 200);
        bool found = strstr(reply, what) != NULL;
        free(reply);
        if (found) {
            return true;
        }
        home_sleep_ms(50);
    }
    return false;
}

/* As health does, but for a user. For moments there may be none: pages that
 * were moved leave room for a few commits more. */
static bool status_says(const char *words, int timeout_ms)
{
    bool says = false;
    for (int waited = 0; !says && waited <= timeout_ms; waited += 100) {
        struct outcome o = CLI(&h, 30, "status", "full");
        says = o.code == 0 && strstr(o.out, words) != NULL;
        outcome_fini(&o);
        home_sleep_ms(says ? 0 : 100);
    }
    return says;
}

static void survive(off_t room)
{
    if (!begin()) {
        end();
        return;
    }
    home_start(&h, two);
    EXPECT(&h, 0, NULL, "run", "--detach",
           home_config(&h, "full", "\"n_trials\": 5,",
                       "\"max_epochs\": 40, \"batch_size\": 2,"));
    ck_assert(home_wait(&h, "SELECT count(*) FROM parzen_epochs", 4, 20000));
    const char *ballast = fill(room);
    ck_assert_msg(health_says("\"status\":\"trouble\"", 20000),
                  "nothing is said of the full disk");
    ck_assert_msg(status_says("space", 20000), "status says nothing of it");
    home_sleep_ms(1000);
    ck_assert_int_eq(
        home_count(&h, "SELECT count(*) FROM trials WHERE state = 'FAIL'"), 0);
    ck_assert_int_eq(unlink(ballast), 0);
    home_wait_state(&h, "full", "finished", FINISH_S);
    ck_assert(health_says("\"status\":\"ok\"", 1000));
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trials"), 5);
    free(home_results(&h, "full"));
    end();
}

/* Not a byte: the store is the first to fail. */
START_TEST(a_store_without_room_waits)
{
    survive(0);
}
END_TEST

/* Room for rows, none for checkpoints: a worker is the first. */
START_TEST(a_worker_without_room_waits)
{
    survive(256 << 10);
}
END_TEST

/* Each is an acknowledged commit. */
static void rest_and_go_on(int n)
{
    for (int i = 0; i < n; i++) {
        char *reply;
        int status = home_http(&h, "POST",
                               i % 2 == 0 ? "/studies/full/pause"
                                          : "/studies/full/resume",
                               "{}", &reply);
        ck_assert_msg(status == 200, "command %d: %s", i, reply);
        free(reply);
    }
}

/* The space that the store has is written again. */
START_TEST(a_full_disk_takes_commands)
{
    if (!begin()) {
        end();
        return;
    }
    home_start(&h, two);
    home_post(&h, home_command(&h, "full", "\"n_trials\": 1,", "",
                               "sleep 1000 # {x}"));
    ck_assert(home_wait(
        &h, "SELECT count(*) FROM trials WHERE state = 'RUNNING'", 1, 20000));
    rest_and_go_on(50);
    const char *ballast = fill(0);
    rest_and_go_on(200);
    ck_assert(health_says("\"status\":\"ok\"", 0));
    ck_assert_int_eq(unlink(ballast), 0);
    end();
}
END_TEST

/* Killed with a full disk: the next daemon says what is wrong, and the one
 * after it goes on. */
START_TEST(a_start_on_a_full_disk_loses_nothing)
{
    if (!begin()) {
        end();
        return;
    }
    home_start(&h, two);
    EXPECT(&h, 0, NULL, "run", "--detach",
           home_config(&h, "full", "\"n_trials\": 4,",
                       "\"max_epochs\": 40, \"batch_size\": 2,"));
    ck_assert(home_wait(&h, "SELECT count(*) FROM parzen_epochs", 4, 20000));
    home_kill_daemon(&h);
    const char *ballast = fill(0);
    char *said;
    ck_assert_int_ne(home_start_fails(&h, two, &said), 0);
    ck_assert_msg(strstr(said, "space") != NULL, "%s", said);
    free(said);
    ck_assert_int_eq(unlink(ballast), 0);
    home_start(&h, two);
    home_wait_state(&h, "full", "finished", FINISH_S);
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM trials"), 4);
    end();
}
END_TEST

/* No daemon can start: what is there is read all the same, after a kill (the
 * WAL is there) and after a clean end (it is not). */
START_TEST(a_full_disk_can_be_looked_at)
{
    if (!begin()) {
        end();
        return;
    }
    home_start(&h, two);
    home_post(&h, home_config(&h, "full", "\"n_trials\": 1,",
                              "\"max_epochs\": 2, \"batch_size\": 4,"));
    home_wait_state(&h, "full", "finished", FINISH_S);
    for (int round = 0; round < 2; round++) {
        if (round == 0) {
            home_kill_daemon(&h);
        } else {
            home_start(&h, two);
            ck_assert_int_eq(home_stop_daemon(&h), 0);
        }
        EXPECT(&h, 3, "no daemon answers", "studies");
        const char *ballast = fill(0);
        EXPECT(&h, 0, "full and no daemon answers", "studies");
        EXPECT(&h, 0, "finished", "status", "full");
        EXPECT(&h, 0, "COMPLETE", "trials", "full");
        EXPECT(&h, 3, "no daemon answers", "pause", "full");
        ck_assert_int_eq(unlink(ballast), 0);
    }
    end();
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/disk_full");
    TCase *c = tcase_create("full");
    tcase_set_timeout(c, 240);
    tcase_add_test(c, a_store_without_room_waits);
    tcase_add_test(c, a_worker_without_room_waits);
    tcase_add_test(c, a_full_disk_takes_commands);
    tcase_add_test(c, a_start_on_a_full_disk_loses_nothing);
    tcase_add_test(c, a_full_disk_can_be_looked_at);
    suite_add_tcase(s, c);
    return s;
}
