#include "core/base/build.h"
#include "tests/lib/fake_worker.h"
#include "core/wire/frame.h"
#include "core/wire/msg.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { CHANNEL = 3 };

static void put(const void *bytes, size_t n)
{
    const char *at = bytes;
    while (n > 0) {
        ssize_t done = write(CHANNEL, at, n);
        if (done <= 0) {
            _exit(9);
        }
        at += done;
        n -= (size_t)done;
    }
}

static void say(const struct msg *m)
{
    struct buf out;
    struct err err;
    buf_init(&out, BUF_MAX_FRAME);
    if (frame_encode(m, &out, &err) != 0) {
        _exit(8);
    }
    put(out.data, out.len);
    buf_fini(&out);
}

static void say_hello(const char *build)
{
    struct msg m = {.type = MSG_HELLO,
                    .hello = {.protocol = MSG_PROTOCOL,
                              .build_id = (char *)build,
                              .pid = getpid()}};
    say(&m);
}

static void say_report(struct trial_id id)
{
    struct msg m = {.type = MSG_REPORT, .report = {.id = id, .epoch = 0}};
    m.report.metrics.value[RUN_VAL_ACC] = 0.5;
    say(&m);
}

static void act(const char *script, const struct msg_assign *a)
{
    if (strcmp(script, "crash") == 0) {
        fprintf(stderr, "something broke\n");
        signal(SIGABRT, SIG_DFL);
        abort();
    } else if (strcmp(script, "exit") == 0) {
        _exit(3);
    } else if (strcmp(script, "leave") == 0) {
        _exit(0);
    } else if (strcmp(script, "garbage") == 0) {
        put("\xff\xff\xff\xff garbage", 12);
    } else if (strcmp(script, "half") == 0) {
        put("\x40\0\0\0\x07xxx", 8);
        _exit(0);
    } else if (strcmp(script, "close") == 0) {
        close(CHANNEL);
        pause();
    } else {
        do {
            say_report(a->id);
        } while (strcmp(script, "flood") == 0);
        struct msg done = {.type = MSG_DONE,
                           .done = {.id = a->id, .value = 0.5}};
        say(&done);
    }
}

static void serve(const char *script)
{
    struct frame_reader reader;
    struct err err;
    struct msg m;
    char bytes[4096];
    ssize_t n;
    frame_reader_init(&reader);
    while ((n = read(CHANNEL, bytes, sizeof(bytes))) > 0) {
        if (frame_reader_feed(&reader, bytes, (size_t)n, &err) != 0) {
            _exit(7);
        }
        while (frame_reader_next(&reader, &m, &err) == 1) {
            if (m.type == MSG_QUIT) {
                _exit(0);
            }
            if (m.type == MSG_ASSIGN) {
                act(script, &m.assign);
            }
            msg_fini(&m);
        }
    }
    _exit(0);
}

/* Before main: a fake worker never becomes a test. */
__attribute__((constructor)) static void maybe_work(void)
{
    const char *script = getenv(FAKE_WORKER_ENV);
    if (script == NULL) {
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (strcmp(script, "mute") == 0) {
        pause();
    }
    say_hello(strcmp(script, "other-build") == 0 ? "other" : BUILD_ID);
    if (strcmp(script, "idle-exit") == 0) {
        _exit(3);
    }
    if (strcmp(script, "hang") == 0) {
        signal(SIGABRT, SIG_IGN);
        signal(SIGTERM, SIG_IGN);
        for (;;) {
            pause();
        }
    }
    serve(script);
}
