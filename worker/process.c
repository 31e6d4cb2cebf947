/* The happy path: fork the guardian; it forks the program, tells its pid over
 * the status pipe, sleeps until the program ends, kills what the program left
 * running, and tells how it ended.
 *
 * Possible failures: the program cannot be executed (exit code 127, the reason
 * in the log); the worker dies: the kernel sends the guardian SIGTERM
 * (PR_SET_PDEATHSIG) and it kills the group; the guardian is killed: the pipe
 * ends without a word, the program dies by the same means, and the worker kills
 * the rest of the group, which no such signal reaches.
 *
 * Between fork and exec only functions that are safe there (signal-safety(7))
 * are called: the worker has threads. */
#include "worker/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- the guardian -----------------------------------------------------------
 */

static void write_int(int fd, int value)
{
    ssize_t ignored = write(fd, &value, sizeof(value));
    (void)ignored;
}

static void complain(const char *what, const char *name)
{
    const char *parts[] = {what, " ", name, ": ", strerrordesc_np(errno), "\n"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        ssize_t ignored = write(STDERR_FILENO, parts[i], strlen(parts[i]));
        (void)ignored;
    }
}

static void NORETURN be_program(char *const *argv, char *const *envp,
                                const char *directory, int out_fd)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    dup2(out_fd, STDOUT_FILENO);
    if (directory[0] != '\0' && chdir(directory) != 0) {
        complain("chdir", directory);
        _exit(127);
    }
    execvpe(argv[0], argv, envp);
    complain("exec", argv[0]);
    _exit(127);
}

static void NORETURN guard(pid_t program, int status_fd, const sigset_t *set)
{
    for (;;) {
        int signal = 0, status;
        siginfo_t info = {0};
        sigwait(set, &signal);
        if (signal == SIGTERM) {
            kill(-program, SIGKILL);
            _exit(1);
        }
        /* Not reaped before its group is killed: the number stays its own. */
        if (waitid(P_PID, (id_t)program, &info, WEXITED | WNOWAIT | WNOHANG) ==
                0 &&
            info.si_pid == program) {
            kill(-program, SIGKILL);
            waitpid(program, &status, 0);
            write_int(status_fd, status);
            _exit(0);
        }
    }
}

/* argv, envp, directory: the program's. */
static void NORETURN be_guardian(pid_t worker, char *const *argv,
                                 char *const *envp, const char *directory,
                                 int out_fd, int status_fd)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGCHLD, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != worker) {
        _exit(1);
    }
    pid_t program = fork();
    if (program == 0) {
        be_program(argv, envp, directory, out_fd);
    }
    if (program < 0) {
        complain("fork", argv[0]);
        _exit(1);
    }
    setpgid(program, program);
    write_int(status_fd, program);
    /* The daemon's channel must end with the worker, not with its guardian. */
    dup2(status_fd, 3);
    close_range(4, ~0u, 0);
    guard(program, 3, &set);
}

/* --- the worker -------------------------------------------------------------
 */

static bool read_int(int fd, int *value)
{
    ssize_t n;
    do {
        n = read(fd, value, sizeof(*value));
    } while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(*value);
}

int process_start(char *const *argv, char *const *envp, const char *directory,
                  struct process *out, struct err *err)
{
    int output[2], status[2], program = 0;
    if (pipe2(output, O_CLOEXEC) != 0) {
        return err_sys(err, errno, "pipe");
    }
    if (pipe2(status, O_CLOEXEC) != 0) {
        int rc = err_sys(err, errno, "pipe");
        close(output[0]);
        close(output[1]);
        return rc;
    }
    pid_t worker = getpid(), guardian = fork();
    if (guardian == 0) {
        be_guardian(worker, argv, envp, directory, output[1], status[1]);
    }
    int fork_errno = errno;
    close(output[1]);
    close(status[1]);
    if (guardian < 0 || !read_int(status[0], &program)) {
        if (guardian > 0) {
            waitpid(guardian, NULL, 0);
        }
        close(output[0]);
        close(status[0]);
        return err_set(err, ERR_UNREACHABLE, "no process can be made: %s",
                       strerror(guardian < 0 ? fork_errno : ECHILD));
    }
    fcntl(output[0], F_SETFL, O_NONBLOCK);
    fcntl(status[0], F_SETFL, O_NONBLOCK);
    *out = (struct process){.group = program,
                            .guardian = guardian,
                            .out_fd = output[0],
                            .status_fd = status[0]};
    return 0;
}

bool process_has_ended(struct process *p)
{
    struct pollfd fd = {.fd = p->status_fd, .events = POLLIN};
    if (!p->has_ended && poll(&fd, 1, 0) > 0) {
        p->has_ended = true;
        if (!read_int(p->status_fd, &p->status)) {
            p->is_lost = true;
            kill(-p->group, SIGKILL);
        }
    }
    return p->has_ended;
}

void process_signal(const struct process *p, int signal)
{
    if (!p->has_ended) {
        kill(-p->group, signal);
    }
}

/* Process group and resident pages of /proc/PID; false: gone, or not readable.
 */
static bool read_proc(const char *pid, long *group, long *pages)
{
    char path[300], text[1024];
    snprintf(path, sizeof(path), "/proc/%s/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
    if (fd >= 0) {
        close(fd);
    }
    if (n <= 0) {
        return false;
    }
    text[n] = '\0';
    const char *at = strrchr(text, ')'); /* names may hold anything */
    /* state ppid pgrp, and rss is 19 fields after pgrp */
    return at != NULL &&
           sscanf(at + 1,
                  " %*c %*d %ld %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d"
                  " %*d %*d %*d %*d %*d %*u %*u %ld",
                  group, pages) == 2;
}

int64_t process_memory(const struct process *p)
{
    DIR *dir = opendir("/proc");
    int64_t sum = 0;
    for (struct dirent *e = dir != NULL ? readdir(dir) : NULL; e != NULL;
         e = readdir(dir)) {
        long group, pages;
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' &&
            read_proc(e->d_name, &group, &pages) && group == p->group) {
            sum += (int64_t)pages * sysconf(_SC_PAGESIZE);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return sum;
}

void process_fini(struct process *p)
{
    if (!process_has_ended(p)) {
        kill(-p->group, SIGKILL);
    }
    waitpid(p->guardian, NULL, 0);
    close(p->out_fd);
    close(p->status_fd);
}
