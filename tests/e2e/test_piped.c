/* What `parzen trials` cuts on a terminal is whole in a pipe. */
#include "core/base/buf.h"
#include "core/base/mem.h"
#include "tests/lib/fix_daemon.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N_PARAM = 300, N_MESSAGE = 5000, COLUMNS = 800, BRIEF = 72 };

static struct home h;
static struct fix_daemon fake;

static void put_many(struct buf *out, char c, int n)
{
    for (int i = 0; i < n; i++) {
        buf_char(out, c);
    }
}

/* One trial with a long text of p's, and a message of m's and a second line. */
static int wordy(const char *path, int n, struct buf *body)
{
    (void)n;
    if (strchr(path, '?') == NULL) {
        buf_str(body, "{\"name\":\"s\",\"unit\":\"step\",\"params\":[\"x\"]}");
        return 200;
    }
    buf_str(body, "{\"trials\":[{\"number\":0,\"state\":\"FAIL\",\"cause\":"
                  "\"exit\",\"params\":{\"x\":\"");
    put_many(body, 'p', N_PARAM);
    buf_str(body, "\"},\"message\":\"");
    put_many(body, 'm', N_MESSAGE);
    buf_str(body, "\\nthe second line\"}]}");
    return 200;
}

/* All that it says on a terminal of that many columns; owned. */
static char *on_a_terminal(void)
{
    const struct winsize size = {.ws_row = 24, .ws_col = COLUMNS};
    const char *bin = getenv("PARZEN_BIN");
    char *program = mem_printf("%s/parzen", bin != NULL ? bin : "build/bin");
    struct buf said;
    char piece[4096];
    ssize_t n;
    int terminal, status;
    pid_t pid = forkpty(&terminal, NULL, NULL, &size);
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        setenv("TERM", "xterm", 1);
        execl(program, program, "--state", h.state, "trials", "s",
              (char *)NULL);
        _exit(127);
    }
    buf_init(&said, BUF_MAX_CONFIG);
    while ((n = read(terminal, piece, sizeof(piece))) > 0) {
        buf_add(&said, piece, (size_t)n);
    }
    close(terminal);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    free(program);
    return buf_take(&said);
}

static size_t longest(const char *text, char c)
{
    size_t max = 0;
    for (size_t n; *text != '\0'; text += n + (text[n] != '\0')) {
        for (n = 0; text[n] == c; n++) {
        }
        max = n > max ? n : max;
    }
    return max;
}

START_TEST(a_pipe_has_it_whole)
{
    home_init(&h);
    fix_daemon_start(&fake, h.state, wordy);
    char *out = home_expect(&h, 0, "the second line\n",
                            (const char *const[]){"trials", "s", NULL});
    ck_assert_uint_eq(longest(out, 'p'), N_PARAM);
    ck_assert_uint_eq(longest(out, 'm'), N_MESSAGE);
    const char *row = strchr(out, '\n');
    ck_assert_ptr_nonnull(row);
    ck_assert_ptr_eq(strchr(row + 1, '\n'), out + strlen(out) - 1);
    free(out);
    out = on_a_terminal();
    ck_assert_ptr_null(strstr(out, "the second line"));
    ck_assert_uint_eq(longest(out, 'm'), BRIEF - 1); /* and an ellipsis */
    free(out);
    fix_daemon_stop(&fake);
    home_fini(&h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/piped");
    TCase *c = tcase_create("piped");
    tcase_set_timeout(c, 60);
    tcase_add_test(c, a_pipe_has_it_whole);
    suite_add_tcase(s, c);
    return s;
}
