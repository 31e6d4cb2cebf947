/* A followed study in a real terminal: whoever suspends or ends the view gets
 * cursor and keyboard back. */
#include "core/base/mem.h"
#include "tests/lib/home_study.h"
#include "tests/lib/test_main.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define HIDDEN "\033[?25l"
#define SHOWN  "\033[?25h"

enum { WAIT_MS = 20000 };

static struct home h;
static int terminal;
static char said[1 << 20];
static size_t n_said, looked; /* what was said, and how far it was looked at */

/* Until the terminal has shown this, behind what was looked for before. */
static void await(const char *text)
{
    for (int waited = 0; waited < WAIT_MS; waited += 100) {
        char *at = memmem(said + looked, n_said - looked, text, strlen(text));
        if (at != NULL) {
            looked = (size_t)(at - said) + strlen(text);
            return;
        }
        struct pollfd p = {.fd = terminal, .events = POLLIN};
        if (poll(&p, 1, 100) > 0 && n_said + 1 < sizeof(said)) {
            ssize_t n = read(terminal, said + n_said, sizeof(said) - n_said);
            n_said += n > 0 ? (size_t)n : 0;
        }
    }
    ck_abort_msg("no '%s' behind: %.*s", text + (text[0] == '\033'),
                 (int)(n_said - looked), said + looked);
}

static bool echoes(void)
{
    struct termios modes;
    ck_assert_int_eq(tcgetattr(terminal, &modes), 0);
    return (modes.c_lflag & ECHO) != 0;
}

/* What a shell does with a job: it is in front until it stops; a key brings it
 * back. */
static void be_a_shell(const char *study)
{
    const char *bin = getenv("PARZEN_BIN");
    char *program = mem_printf("%s/parzen", bin != NULL ? bin : "build/bin");
    int status;
    signal(SIGTTOU, SIG_IGN);
    signal(SIGTSTP, SIG_IGN);
    pid_t job = fork();
    setpgid(job, job);
    if (job == 0) {
        tcsetpgrp(STDIN_FILENO, getpid());
        signal(SIGTTOU, SIG_DFL);
        signal(SIGTSTP, SIG_DFL);
        execl(program, program, "--state", h.state, "watch", study, NULL);
        _exit(127);
    }
    tcsetpgrp(STDIN_FILENO, job);
    while (waitpid(job, &status, WUNTRACED) == job && WIFSTOPPED(status)) {
        tcsetpgrp(STDIN_FILENO, getpid());
        printf("STOPPED\n");
        fflush(stdout);
        (void)getchar();
        tcsetpgrp(STDIN_FILENO, job);
        kill(-job, SIGCONT);
    }
    printf("CODE %d\n",
           WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    fflush(stdout);
    _exit(0);
}

START_TEST(the_terminal_is_given_back)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    home_init(&h);
    home_data(&h, 200, 3);
    home_start(&h, (const char *const[]){"--workers", "1", NULL});
    home_post(&h, home_config(&h, "seen", "\"n_trials\": 9,",
                              "\"max_epochs\": 9, \"batch_size\": 1,"));
    home_hold(&h);
    pid_t shell = forkpty(&terminal, NULL, NULL, &size);
    if (shell == 0) {
        setenv("TERM", "xterm", 1);
        be_a_shell("seen");
    }
    await(HIDDEN);
    await("trials");
    ck_assert(!echoes());
    ck_assert_int_eq(write(terminal, "\x1a", 1), 1);
    await(SHOWN);
    await("STOPPED");
    ck_assert(echoes());
    ck_assert_int_eq(write(terminal, "\n", 1), 1);
    await(HIDDEN);
    await("trials");
    ck_assert(!echoes());
    ck_assert_int_eq(write(terminal, "\x03", 1), 1);
    await(SHOWN);
    await("The study goes on");
    await("CODE 130");
    ck_assert(echoes());
    ck_assert_int_eq(waitpid(shell, NULL, 0), shell);
    close(terminal);
    home_go_on(&h);
    home_fini(&h);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("e2e/terminal");
    TCase *t = tcase_create("terminal");
    tcase_set_timeout(t, 90);
    tcase_add_test(t, the_terminal_is_given_back);
    suite_add_tcase(s, t);
    return s;
}
