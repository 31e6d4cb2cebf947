#include "core/wire/channel.h"
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/wire/frame.h"
#include "core/wire/msg.h"
#include "tests/lib/test_main.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

/* One channel on a loop; the peer is the bare other end of a socketpair. */
struct fixture {
    uv_loop_t loop;
    struct channel *channel;
    int peer;
    bool in_call; /* inside a channel_ call: no callback may come */
    int n_msgs, n_ends, n_closed;
    int close_after; /* messages; 0: never */
    int echo;        /* messages sent back from on_msg */
    int why;
    char sentence[256];
};
static struct fixture fix;

static void on_closed(void *ctx)
{
    struct fixture *f = ctx;
    ck_assert(!f->in_call);
    f->n_closed++;
    f->channel = NULL;
}

static int send_quit(struct fixture *f, struct err *err)
{
    struct msg m = {.type = MSG_QUIT};
    f->in_call = true;
    int rc = channel_send(f->channel, &m, err);
    f->in_call = false;
    return rc;
}

static void close_channel(struct fixture *f)
{
    f->in_call = true;
    channel_close(f->channel, on_closed, f);
    f->in_call = false;
}

static void on_msg(void *ctx, const struct msg *msg)
{
    struct fixture *f = ctx;
    struct err err;
    ck_assert(!f->in_call && f->n_ends == 0);
    ck_assert_int_eq(msg->type, MSG_QUIT);
    f->n_msgs++;
    for (int i = 0; i < f->echo; i++) {
        ck_assert_int_eq(send_quit(f, &err), 0);
    }
    if (f->n_msgs == f->close_after) {
        close_channel(f);
    }
}

static void on_end(void *ctx, int why, const char *sentence)
{
    struct fixture *f = ctx;
    ck_assert(!f->in_call);
    f->n_ends++;
    f->why = why;
    strncpy(f->sentence, sentence, sizeof(f->sentence) - 1);
    close_channel(f);
}

static void setup(void)
{
    int ends[2];
    struct err err;
    signal(SIGPIPE, SIG_IGN); /* as both programs' main does */
    memset(&fix, 0, sizeof(fix));
    ck_assert_int_eq(uv_loop_init(&fix.loop), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
                     0);
    struct channel_hooks hooks = {&fix, on_msg, on_end};
    fix.in_call = true;
    ck_assert_int_eq(
        channel_open(&fix.loop, ends[0], &hooks, &fix.channel, &err), 0);
    fix.in_call = false;
    fix.peer = ends[1];
}

/* Whatever happened: the channel closes once and leaves nothing behind. */
static void teardown(void)
{
    if (fix.peer >= 0) {
        close(fix.peer);
    }
    if (fix.channel != NULL && fix.n_ends == 0 && fix.close_after == 0) {
        close_channel(&fix);
    }
    uv_run(&fix.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(fix.n_closed, 1);
    ck_assert_int_le(fix.n_ends, 1);
    ck_assert_int_eq(uv_loop_close(&fix.loop), 0);
}

static void quit_frames(int n, struct buf *out)
{
    struct msg m = {.type = MSG_QUIT};
    struct err err;
    buf_init(out, BUF_MAX_RESPONSE);
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(frame_encode(&m, out, &err), 0);
    }
}

static void peer_writes(const void *bytes, size_t n)
{
    ck_assert_int_eq((int)write(fix.peer, bytes, n), (int)n);
}

static void peer_closes(void)
{
    close(fix.peer);
    fix.peer = -1;
}

START_TEST(messages_then_a_clean_end)
{
    struct buf b;
    quit_frames(3, &b);
    peer_writes(b.data, b.len);
    peer_closes();
    uv_run(&fix.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(fix.n_msgs, 3);
    ck_assert_int_eq(fix.n_ends, 1);
    ck_assert_int_eq(fix.why, 0);
    buf_fini(&b);
}
END_TEST

START_TEST(sends_reach_the_peer)
{
    struct err err;
    struct buf want;
    char got[64] = "";
    quit_frames(2, &want);
    ck_assert_int_eq(send_quit(&fix, &err), 0);
    ck_assert_int_eq(send_quit(&fix, &err), 0);
    uv_run(&fix.loop, UV_RUN_NOWAIT);
    ck_assert_uint_eq(channel_queued(fix.channel), 0);
    ck_assert_int_eq((int)read(fix.peer, got, sizeof(got)), (int)want.len);
    ck_assert_mem_eq(got, want.data, want.len);
    buf_fini(&want);
}
END_TEST

START_TEST(garbage_ends_the_channel)
{
    struct buf b;
    quit_frames(2, &b);
    buf_str(&b, "GET / HTTP/1.1\r\n\r\n");
    peer_writes(b.data, b.len);
    uv_run(&fix.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(fix.n_msgs, 2); /* what was whole counts */
    ck_assert_int_eq(fix.why, ERR_PROTO);
    buf_fini(&b);
}
END_TEST

START_TEST(half_a_frame_and_the_end)
{
    struct buf b;
    quit_frames(2, &b);
    peer_writes(b.data, b.len - 3);
    peer_closes();
    uv_run(&fix.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(fix.n_msgs, 1);
    ck_assert_int_eq(fix.why, ERR_IO);
    ck_assert_str_eq(fix.sentence, "the peer ended inside a message");
    buf_fini(&b);
}
END_TEST

/* As much as fits, again and again, until the channel has had enough. */
START_TEST(a_flood_ends_the_channel)
{
    struct buf b;
    quit_frames(1000, &b);
    ck_assert_int_eq(fcntl(fix.peer, F_SETFL, O_NONBLOCK), 0);
    size_t at = 0;
    while (fix.n_ends == 0) {
        ssize_t n = write(fix.peer, b.data + at, b.len - at);
        at = n > 0 ? (at + (size_t)n) % b.len : at;
        uv_run(&fix.loop, UV_RUN_NOWAIT);
    }
    ck_assert_int_eq(fix.why, ERR_LIMIT);
    ck_assert_str_eq(fix.sentence, "the peer floods the channel");
    ck_assert_int_ge(fix.n_msgs, CHANNEL_BURST * CHANNEL_MAX_PER_SECOND);
    ck_assert_int_lt(fix.n_msgs, 2 * CHANNEL_BURST * CHANNEL_MAX_PER_SECOND);
    buf_fini(&b);
}
END_TEST

static void peer_writes_all(const struct buf *b, int times)
{
    for (int i = 0; i < times; i++) {
        peer_writes(b->data, b->len);
        for (int turns = 0; turns < 20; turns++) {
            uv_run(&fix.loop, UV_RUN_NOWAIT);
        }
    }
}

/* What the time since allows is no part of a burst; more is. */
START_TEST(a_second_makes_room_for_a_seconds_messages)
{
    struct buf b;
    quit_frames(900, &b);
    peer_writes_all(&b, 8);
    ck_assert_int_eq(fix.n_ends, 0);
    usleep(1000 * 1000);
    peer_writes_all(&b, 1);
    ck_assert_int_eq(fix.n_ends, 0);
    while (fix.n_ends == 0) {
        peer_writes_all(&b, 1);
    }
    ck_assert_int_eq(fix.why, ERR_LIMIT);
    ck_assert_int_ge(fix.n_msgs, 9 * 900);
    buf_fini(&b);
}
END_TEST

/* 600 a second, read late: no second has 1,000, however they are cut. */
START_TEST(a_late_reader_takes_no_pace_for_a_flood)
{
    struct buf b;
    quit_frames(550, &b);
    for (int i = 0; i < 3; i++) {
        peer_writes_all(&b, 2);
        usleep(1850 * 1000);
    }
    ck_assert_int_eq(fix.n_ends, 0);
    ck_assert_int_eq(fix.n_msgs, 6 * 550);
    buf_fini(&b);
}
END_TEST

/* Who answers what it is sent may be as fast as the sender. */
START_TEST(answers_are_no_flood)
{
    struct buf b;
    quit_frames(1000, &b);
    fix.echo = 1;
    char sink[65536];
    for (int i = 0; i < 20; i++) {
        peer_writes(b.data, b.len);
        for (int turns = 0; turns < 20; turns++) {
            uv_run(&fix.loop, UV_RUN_NOWAIT);
            ck_assert_int_ne(
                (int)recv(fix.peer, sink, sizeof(sink), MSG_DONTWAIT), 0);
        }
    }
    ck_assert_int_eq(fix.n_ends, 0);
    ck_assert_int_eq(fix.n_msgs, 20000);
    buf_fini(&b);
}
END_TEST

START_TEST(a_peer_that_does_not_read_is_ended)
{
    struct err err;
    struct msg m = {.type = MSG_PREPARE_FAILED,
                    .prepare_failed.message = mem_alloc(100001, 1)};
    memset(m.prepare_failed.message, 'x', 100000);
    int rc = 0, n = 0;
    while (rc == 0) {
        ck_assert_int_lt(++n, 100);
        fix.in_call = true;
        rc = channel_send(fix.channel, &m, &err);
        fix.in_call = false;
        ck_assert_uint_le(channel_queued(fix.channel), CHANNEL_MAX_QUEUED);
    }
    ck_assert_int_eq(rc, ERR_LIMIT);
    ck_assert_int_gt(n, 40);
    ck_assert_int_eq(fix.n_ends, 0);
    uv_run(&fix.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(fix.n_ends, 1);
    ck_assert_int_eq(fix.why, ERR_LIMIT);
    msg_fini(&m);
}
END_TEST

START_TEST(a_dead_peer_does_not_kill_and_is_heard_out)
{
    struct err err;
    struct buf b;
    quit_frames(5, &b);
    peer_writes(b.data, b.len);
    peer_closes();
    (void)send_quit(&fix, &err); /* EPIPE, now or in the loop */
    uv_run(&fix.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(fix.n_msgs, 5);
    ck_assert_int_eq(fix.n_ends, 1);
    buf_fini(&b);
}
END_TEST

START_TEST(a_peer_that_only_stops_reading_is_ended)
{
    struct err err;
    ck_assert_int_eq(shutdown(fix.peer, SHUT_RD), 0);
    (void)send_quit(&fix, &err);
    uv_run(&fix.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(fix.n_ends, 1);
    ck_assert_int_eq(fix.why, ERR_IO);
}
END_TEST

START_TEST(closing_inside_on_msg_is_the_last_word)
{
    struct buf b;
    quit_frames(5, &b);
    fix.close_after = 2;
    peer_writes(b.data, b.len);
    uv_run(&fix.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(fix.n_msgs, 2);
    ck_assert_int_eq(fix.n_ends, 0);
    ck_assert_int_eq(fix.n_closed, 1);
    buf_fini(&b);
}
END_TEST

START_TEST(closing_drops_what_is_queued)
{
    struct err err;
    int rc = 0;
    while (channel_queued(fix.channel) == 0 && rc == 0) {
        rc = send_quit(&fix, &err);
    }
    ck_assert_int_eq(rc, 0);
    close_channel(&fix);
    fix.close_after = 1; /* teardown must not close again */
    ck_assert_int_eq(send_quit(&fix, &err), ERR_IO);
    uv_run(&fix.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(fix.n_closed, 1);
    ck_assert_int_eq(fix.n_ends, 0);
}
END_TEST

START_TEST(only_sockets_are_taken)
{
    uv_loop_t loop;
    struct channel *c;
    struct err err;
    struct channel_hooks hooks = {NULL, on_msg, on_end};
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(channel_open(&loop, fd, &hooks, &c, &err), ERR_INVALID);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1); /* taken all the same */
    ck_assert_int_eq(channel_open(&loop, -1, &hooks, &c, &err), ERR_INVALID);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("channel");
    TCase *t = tcase_create("channel");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_set_timeout(t, 20);
    tcase_add_test(t, messages_then_a_clean_end);
    tcase_add_test(t, sends_reach_the_peer);
    tcase_add_test(t, garbage_ends_the_channel);
    tcase_add_test(t, half_a_frame_and_the_end);
    tcase_add_test(t, a_flood_ends_the_channel);
    tcase_add_test(t, a_second_makes_room_for_a_seconds_messages);
    tcase_add_test(t, a_late_reader_takes_no_pace_for_a_flood);
    tcase_add_test(t, answers_are_no_flood);
    tcase_add_test(t, a_peer_that_does_not_read_is_ended);
    tcase_add_test(t, a_dead_peer_does_not_kill_and_is_heard_out);
    tcase_add_test(t, a_peer_that_only_stops_reading_is_ended);
    tcase_add_test(t, closing_inside_on_msg_is_the_last_word);
    tcase_add_test(t, closing_drops_what_is_queued);
    suite_add_tcase(s, t);
    TCase *alone = tcase_create("open");
    tcase_add_test(alone, only_sockets_are_taken);
    suite_add_tcase(s, alone);
    return s;
}
