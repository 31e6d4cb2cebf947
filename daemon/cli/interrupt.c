/* What a signal handler may write, and must read, can stand nowhere but in this
 * file: these are the program's only variables. */
#include "daemon/cli/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <termios.h>
#include <unistd.h>

static volatile int caught;      /* the signal's number */
static volatile int suspensions; /* times that Ctrl-Z was over */
static volatile int terminal;    /* fd that the cursor is hidden on, 0: none */
static volatile int is_quiet;    /* the keyboard's modes were changed */
static struct termios modes;     /* before that; written while !is_quiet */

static void put(const char *text, size_t n)
{
    ssize_t written = write(terminal, text, n);
    (void)written; /* a terminal that is gone needs nothing */
}

static void take(void)
{
    put("\033[?25l", 6);
    /* A background job must leave the keyboard alone: it would be stopped. */
    if (interrupt_is_foreground() && tcgetattr(STDIN_FILENO, &modes) == 0) {
        struct termios quiet = modes;
        quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
        is_quiet = tcsetattr(STDIN_FILENO, TCSANOW, &quiet) == 0;
    }
}

static void give_back(void)
{
    put("\033[?25h", 6);
    if (is_quiet && interrupt_is_foreground()) {
        tcsetattr(STDIN_FILENO, TCSANOW, &modes);
    }
    is_quiet = 0;
}

/* The default action, as soon as the handler returns. */
static void raise_default(int signum)
{
    signal(signum, SIG_DFL);
    raise(signum);
}

static void on_signal(int signum)
{
    if (caught == 0) {
        caught = signum;
        return;
    }
    if (terminal != 0) {
        give_back();
    }
    raise_default(signum);
}

static void watch_suspension(void);

static void on_suspension(int signum)
{
    sigset_t set;
    give_back();
    raise_default(signum);
    sigemptyset(&set);
    sigaddset(&set, signum);
    sigprocmask(SIG_UNBLOCK, &set, NULL); /* here we stand still */
    take();
    suspensions++;
    watch_suspension();
}

static void watch_suspension(void)
{
    struct sigaction action = {.sa_handler = on_suspension,
                               .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTSTP, &action, NULL);
}

void interrupt_watch(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

bool interrupt_came(void)
{
    return caught != 0;
}

const volatile int *interrupt_flag(void)
{
    return &caught;
}

const volatile int *interrupt_take_terminal(int fd)
{
    terminal = fd;
    take();
    watch_suspension();
    return &suspensions;
}

void interrupt_give_back(void)
{
    signal(SIGTSTP, SIG_DFL);
    give_back();
    terminal = 0;
}

bool interrupt_is_foreground(void)
{
    return tcgetpgrp(STDIN_FILENO) == getpgrp();
}
