/* The happy path: fork the guardian; it forks the program, tells its pid over
 * the status pipe, sleeps until the program ends, kills what the program left
 * running, and tells how it ended.
 *
 * A process may leave the program's group and session (setsid, a double fork),
 * but not its ancestors: an orphan becomes the child of the nearest ancestor
 * that is a subreaper. Guardian and worker are, so they kill their children
 * until there are none.
 *
 * Possible failures: the program cannot be executed (exit code 127, the reason
 * in the log); the worker dies: the kernel sends the guardian SIGTERM
 * (PR_SET_PDEATHSIG) and it kills all; it has a process group of its own, so
 * that it does not die with the worker's. The guardian is killed: the pipe ends
 * without a word, the program dies by the same means, and the rest falls to the
 * worker, or to the daemon when that is killed, too, or to the next daemon,
 * which knows it by its environment (PROC_POOL). The guardian is stopped: the
 * worker wakes it; when it does not end what it should all the same (somebody
 * stops it each time), it is killed.
 *
 * Between fork and exec only functions that are safe there (signal-safety(7))
 * are called: the worker has threads. */
#include "worker/process.h"
#include "core/base/heritage.h"
#include "core/base/mem.h"
#include "core/base/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Looks at what is left, END_NAP_NS apart; then it hangs in the kernel. */
enum { END_LOOKS = 5000, END_NAP_NS = 1000000, END_AT_ONCE = 256 };
/* How often the guardian is looked at, and how long it may take to end what
 * was killed, or is dead while it was seen stopped. */
enum { LOOK_EVERY_MS = 50, GUARDIAN_MS = 2000 };
/* Between looks at the memory: so long, and so many times what one took. */
enum { MEMORY_EVERY_MS = 200, MEMORY_REST = 10, MEMORY_LOOKS = 3 };

/* --- descendants ---------------------------------------------------------- */

/* Kill the children, as many as one look shows; false: there are none. */
static bool kill_children(void)
{
    pid_t pids[END_AT_ONCE];
    int n = proc_children(pids, END_AT_ONCE);
    for (int i = 0; i < n; i++) {
        kill(pids[i], SIGKILL);
    }
    return n > 0;
}

/* End all descendants: the children of what dies become ours. */
static void end_descendants(void)
{
    const struct timespec nap = {.tv_nsec = END_NAP_NS};
    for (int i = 0; i < END_LOOKS && kill_children(); i++) {
        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
        nanosleep(&nap, NULL);
    }
}

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

struct program {
    char *const *argv, *const *envp;
    const char *directory;
    struct heritage heritage;
    int out_fd, err_fd, status_fd;
};

/* It tells its number itself: while the worker waits for that, nothing has run
 * that could stop the guardian. */
static void NORETURN be_program(const struct program *p)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    write_int(p->status_fd, getpid());
    dup2(p->out_fd, STDOUT_FILENO);
    dup2(p->err_fd, STDERR_FILENO);
    if (p->directory[0] != '\0' && chdir(p->directory) != 0) {
        complain("chdir", p->directory);
        _exit(127);
    }
    heritage_take(&p->heritage);
    execvpe(p->argv[0], p->argv, p->envp);
    complain("exec", p->argv[0]);
    _exit(127);
}

/* Reap those that have ended, up to the program: not before its group is
 * killed, so that the number stays its own. */
static bool program_has_ended(pid_t program)
{
    siginfo_t info = {0};
    while (waitid(P_ALL, 0, &info, WEXITED | WNOWAIT | WNOHANG) == 0 &&
           info.si_pid != 0 && info.si_pid != program) {
        waitpid(info.si_pid, NULL, 0);
        info.si_pid = 0;
    }
    return info.si_pid == program;
}

static void NORETURN guard(pid_t program, int status_fd, const sigset_t *set)
{
    for (;;) {
        int signal = 0, status;
        sigwait(set, &signal);
        if (signal == SIGTERM) {
            kill(-program, SIGKILL);
            end_descendants();
            _exit(1);
        }
        if (program_has_ended(program)) {
            kill(-program, SIGKILL);
            waitpid(program, &status, 0);
            end_descendants();
            write_int(status_fd, status);
            _exit(0);
        }
    }
}

static void NORETURN be_guardian(pid_t worker, const struct program *p)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGCHLD, SIG_DFL);
    setpgid(0, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != worker) {
        _exit(1);
    }
    pid_t program = fork();
    if (program == 0) {
        be_program(p);
    }
    if (program < 0) {
        complain("fork", p->argv[0]);
        _exit(1);
    }
    /* The daemon's channel must end with the worker, not with its guardian. */
    dup2(p->status_fd, 3);
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

enum { OUT, ERROR, STATUS, N_PIPES };

static void close_ends(int pipes[N_PIPES][2], int n, int end)
{
    for (int i = 0; i < n; i++) {
        close(pipes[i][end]);
    }
}

static int make_pipes(int pipes[N_PIPES][2], struct err *err)
{
    for (int i = 0; i < N_PIPES; i++) {
        if (pipe2(pipes[i], O_CLOEXEC) != 0) {
            int rc = err_sys(err, errno, "pipe");
            close_ends(pipes, i, 0);
            close_ends(pipes, i, 1);
            return rc;
        }
    }
    return 0;
}

int process_start(char *const *argv, char *const *envp, const char *directory,
                  struct process *out, struct err *err)
{
    int pipes[N_PIPES][2], program = 0;
    int rc = make_pipes(pipes, err);
    if (rc != 0) {
        return rc;
    }
    struct program p = {.argv = argv,
                        .envp = envp,
                        .directory = directory,
                        .out_fd = pipes[OUT][1],
                        .err_fd = pipes[ERROR][1],
                        .status_fd = pipes[STATUS][1]};
    heritage_read(&p.heritage);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t worker = getpid(), guardian = fork();
    if (guardian == 0) {
        be_guardian(worker, &p);
    }
    int fork_errno = errno;
    close_ends(pipes, N_PIPES, 1);
    if (guardian < 0 || !read_int(pipes[STATUS][0], &program)) {
        if (guardian > 0) {
            waitpid(guardian, NULL, 0);
        }
        close_ends(pipes, N_PIPES, 0);
        return err_set(err, ERR_UNREACHABLE, "no process can be made: %s",
                       strerror(guardian < 0 ? fork_errno : ECHILD));
    }
    for (int i = 0; i < N_PIPES; i++) {
        fcntl(pipes[i][0], F_SETFL, O_NONBLOCK);
    }
    *out = (struct process){.group = program,
                            .guardian = guardian,
                            .out_fd = pipes[OUT][0],
                            .err_fd = pipes[ERROR][0],
                            .status_fd = pipes[STATUS][0]};
    return 0;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool is_stopped(pid_t pid)
{
    struct proc p;
    return proc_read(pid, &p) && (p.state == 'T' || p.state == 't');
}

static bool is_dead(pid_t pid)
{
    struct proc p;
    return !proc_read(pid, &p) || p.state == 'Z';
}

static void expect_end(struct process *p)
{
    if (p->end_due_ms == 0) {
        p->end_due_ms = now_ms() + GUARDIAN_MS;
    }
}

static void watch_guardian(struct process *p)
{
    int64_t now = now_ms();
    if (now - p->look_ms < LOOK_EVERY_MS) {
        return;
    }
    p->look_ms = now;
    if (is_stopped(p->guardian)) {
        kill(p->guardian, SIGCONT);
        if (is_dead(p->group)) {
            expect_end(p);
        }
    }
    if (p->end_due_ms != 0 && now > p->end_due_ms) {
        kill(p->guardian, SIGKILL); /* which ends the status pipe */
    }
}

/* What the guardian left, now that it is dead. */
static void do_its_work(struct process *p)
{
    if (!p->has_ended) {
        kill(-p->group, SIGKILL);
    }
    waitpid(p->guardian, NULL, 0); /* from now on they are ours */
    p->guardian = 0;
    end_descendants();
}

bool process_has_ended(struct process *p)
{
    struct pollfd fd = {.fd = p->status_fd, .events = POLLIN};
    if (p->has_ended) {
        return true;
    }
    if (poll(&fd, 1, 0) > 0) {
        p->is_lost = !read_int(p->status_fd, &p->status);
        if (p->is_lost) {
            do_its_work(p);
        }
        p->has_ended = true;
    } else {
        watch_guardian(p);
    }
    return p->has_ended;
}

void process_signal(struct process *p, int signal)
{
    if (p->has_ended) {
        return;
    }
    kill(-p->group, signal);
    if (signal == SIGKILL) {
        expect_end(p);
    }
}

/* --- memory --------------------------------------------------------------- */

struct listed {
    struct proc proc;
    bool is_ours;
};

/* All processes; owned. */
static struct listed *list_procs(size_t *n)
{
    DIR *dir = opendir("/proc");
    struct listed *list = NULL, one = {.is_ours = false};
    *n = 0;
    for (struct dirent *e = dir != NULL ? readdir(dir) : NULL; e != NULL;
         e = readdir(dir)) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        if (pid > 0 && proc_read(pid, &one.proc)) {
            list = mem_grow(list, *n + 1, sizeof(*list));
            list[(*n)++] = one;
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
    return list;
}

static bool has_our_parent(const struct listed *list, size_t n,
                           const struct proc *p, pid_t guardian)
{
    bool is_ours = p->parent == guardian;
    for (size_t i = 0; i < n && !is_ours; i++) {
        is_ours = list[i].is_ours && list[i].proc.pid == p->parent;
    }
    return is_ours;
}

/* Mark the guardian's descendants; returns what is resident of them. A child
 * may be listed before its parent. */
static int64_t find_ours(struct listed *list, size_t n, pid_t guardian)
{
    int64_t bytes = 0;
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < n; i++) {
            if (!list[i].is_ours &&
                has_our_parent(list, n, &list[i].proc, guardian)) {
                list[i].is_ours = more = true;
                bytes += list[i].proc.memory;
            }
        }
    }
    return bytes;
}

/* What is resident counts shared pages for each process, and is quickly told:
 * only when that is above the limit the shares are asked for. */
static bool is_above(pid_t guardian, int64_t limit)
{
    size_t n;
    struct listed *list = list_procs(&n);
    int64_t bytes = find_ours(list, n, guardian);
    if (bytes > limit) {
        bytes = 0;
        for (size_t i = 0; i < n; i++) {
            bytes += list[i].is_ours ? proc_share(list[i].proc.pid) : 0;
        }
    }
    free(list);
    return bytes > limit;
}

bool process_exceeds(struct process *p, int64_t bytes)
{
    int64_t begun_ms = now_ms();
    if (p->guardian == 0 || begun_ms < p->memory_due_ms) {
        return false; /* of 0, that is of nobody, all others descend */
    }
    /* A child that ends between two of them leaves the other all that they
     * shared, which then counts twice: one look alone proves nothing. */
    bool exceeds = true;
    for (int i = 0; exceeds && i < MEMORY_LOOKS; i++) {
        exceeds = is_above(p->guardian, bytes);
    }
    int64_t took_ms = now_ms() - begun_ms;
    p->memory_due_ms = now_ms() + MEMORY_EVERY_MS + MEMORY_REST * took_ms;
    return exceeds;
}

/* The guardian ends them all, if it can be had to. */
static void end_guardian(struct process *p)
{
    const struct timespec nap = {.tv_nsec = END_NAP_NS};
    int64_t until_ms = now_ms() + GUARDIAN_MS;
    kill(p->guardian, SIGTERM);
    while (waitpid(p->guardian, NULL, WNOHANG) == 0) {
        if (now_ms() > until_ms) {
            kill(p->guardian, SIGKILL);
            do_its_work(p);
            return;
        }
        kill(p->guardian, SIGCONT);
        nanosleep(&nap, NULL);
    }
}

void process_fini(struct process *p)
{
    if (p->guardian != 0) {
        end_guardian(p);
    }
    close(p->out_fd);
    close(p->err_fd);
    close(p->status_fd);
}
