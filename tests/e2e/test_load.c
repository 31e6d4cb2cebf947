/* Bad company and long use: while clients flood, stall and vanish, a study goes
 * on to its end; and hundreds of trials leave no memory and no descriptor
 * behind. */
#include "core/base/mem.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_STALLED = 20, N_FLOODERS = 3, FINISH_S = 90, N_MANY = 200 };

static struct home h;
static const char *const two[] = {"--workers", "2", NULL};

static int n_fds(void)
{
    char path[64];
    int n = 0;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)h.daemon);
    DIR *d = opendir(path);
    ck_assert_ptr_nonnull(d);
    while (readdir(d) != NULL) {
        n++;
    }
    closedir(d);
    return n;
}

static long rss_kb(void)
{
    char path[64], line[256];
    long kb = -1;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)h.daemon);
    FILE *f = fopen(path, "re");
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof(line), f) != NULL &&
           sscanf(line, "VmRSS: %ld", &kb) != 1) {
    }
    fclose(f);
    return kb;
}

/* A connection that sends this and never reads; -1: refused. */
static int stall(const char *request)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    snprintf(to.sun_path, sizeof(to.sun_path), "%.90s/sock", h.state);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
        close(fd);
        return -1;
    }
    ssize_t ignored = send(fd, request, strlen(request), MSG_NOSIGNAL);
    (void)ignored;
    return fd;
}

static const char *const stalled[] = {
    "GET /api/v1/studies/load/events HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /api/v1/studies/load/trials HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "POST /api/v1/studies HTTP/1.1\r\nHost: localhost\r\n"
    "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
    "GET /api/v1/hea",
    "\x16\x03\x01\x02 what is this",
};

static pid_t start_flood(void)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        for (;;) {
            home_http(&h, "GET", "/studies/load/trials", NULL, NULL);
            home_http(&h, "POST", "/studies", "{\"study\": 1}", NULL);
            home_http(&h, "GET", "/health", NULL, NULL);
        }
    }
    return pid;
}

START_TEST(bad_company_stops_no_study)
{
    home_init(&h);
    home_data(&h, 200, 4);
    home_start(&h, two);
    home_post(&h, home_config(&h, "load", "\"n_trials\": 12,",
                              "\"max_epochs\": 12, \"batch_size\": 4,"));
    int fds[N_STALLED];
    pid_t flooders[N_FLOODERS];
    for (int i = 0; i < N_STALLED; i++) {
        fds[i] = stall(stalled[(size_t)i % ARRAY_LEN(stalled)]);
    }
    for (int i = 0; i < N_FLOODERS; i++) {
        flooders[i] = start_flood();
    }
    home_wait_state(&h, "load", "finished", FINISH_S);
    for (int i = 0; i < N_FLOODERS; i++) {
        kill(flooders[i], SIGKILL);
        waitpid(flooders[i], NULL, 0);
    }
    ck_assert_int_eq(home_http(&h, "GET", "/health", NULL, NULL), 200);
    for (int i = 0; i < N_STALLED; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
        }
    }
    ck_assert_int_eq(home_count(&h, "SELECT count(*) FROM parzen_attempts "
                                    "WHERE attempt > 1"),
                     0);
    home_end(&h, "bad company");
}
END_TEST

START_TEST(many_trials_leave_nothing_behind)
{
    char members[64];
    home_init(&h);
    home_data(&h, 60, 3);
    home_start(&h, two);
    snprintf(members, sizeof(members), "\"n_trials\": %d,", N_MANY);
    home_post(&h, home_config(&h, "many", members, "\"max_epochs\": 1,"));
    ck_assert(home_wait(
        &h, "SELECT count(*) FROM trials WHERE state = 'COMPLETE'", 40, 60000));
    int fds = n_fds();
    long rss = rss_kb();
    home_wait_state(&h, "many", "finished", FINISH_S);
    home_sleep_ms(100);
    int more_fds = n_fds() - fds;
    long more_kb = rss_kb() - rss;
    long long ms = home_count(&h, "SELECT max(ended_ms) - min(started_ms) FROM "
                                  "parzen_attempts");
    printf("%d trials in %lld ms; parzend: %d descriptors, %ld KiB; since the "
           "40th %+d, %+ld KiB\n",
           N_MANY, ms, fds, rss, more_fds, more_kb);
    ck_assert_int_le(more_fds, 2);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed */
    ck_assert_int_le(more_kb, 4096);
#endif
    home_end(&h, "many");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/load");
    TCase *c = tcase_create("load");
    tcase_set_timeout(c, 240);
    tcase_add_test(c, bad_company_stops_no_study);
    tcase_add_test(c, many_trials_leave_nothing_behind);
    suite_add_tcase(s, c);
    return s;
}
