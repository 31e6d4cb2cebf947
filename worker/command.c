/* The happy path: params.json is written, the program started; each turn waits
 * for output at most WAIT_MS, prints it to the trial's log and reads the lines
 * that are for us; when the program has ended, its value is told.
 *
 * Possible failures: it ends otherwise than well, tells no value, tells one
 * that is no number, takes too long, too much memory, writes too much (FAILED,
 * each with its cause); it does not end when asked (killed after a while); its
 * guardian is killed, which is no fault of the program (tried again). */
#include "worker/command.h"
#include "core/base/buf.h"
#include "core/base/json.h"
#include "core/base/mem.h"
#include "core/base/utf8.h"
#include "core/wire/msg.h"
#include "worker/command_given.h"
#include "worker/lines.h"
#include "worker/own_folder.h"
#include "worker/process.h"
#include "worker/told.h"

#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    WAIT_MS = 20,
    PROGRESS_EVERY_MS = 1000,
    GRACE_MS = 10000, /* from SIGTERM to SIGKILL */
    GRACE_DROPPED_MS = 2000,
    MS_PER_REPORT = 2, /* more are a flood to the daemon (channel.h) */
    COMPLAINT_MAX = 300,
    QUOTE_MAX = 80,
    EXIT_INTERRUPTED = 130
};

struct command {
    struct trial_id id;
    struct objective_out out;
    int metric;
    bool maximize, of_last;
    double timeout;
    int64_t memory_mb, output_mb;
    struct strings constraints; /* names */

    struct process process;
    struct lines said, complained; /* on standard output and error */
    char complaint[COMPLAINT_MAX]; /* the last of the latter's lines */
    int64_t n_bytes;
    int64_t step; /* last reported, -1: none */
    double step_value;
    bool said_order; /* that steps must ascend */
    int64_t best_step;
    double value; /* NaN: none */
    bool has_value, is_final, has_constraints;

    int64_t begun_ms, progress_ms, stop_ms; /* 0: not yet */
    int64_t now_ms, reads_ms;               /* of this turn; not read before */
    bool is_stopping;
    int64_t grace_ms;
    int cause; /* why we killed it, 0: we did not */
    char why[512];
};

/* --- words --- */

static enum objective_turn say_failed(struct command *c, int cause,
                                      const char *message)
{
    struct msg m = {
        .type = MSG_FAILED,
        .failed = {.id = c->id, .cause = cause, .message = (char *)message}};
    fprintf(stderr, "trial %d failed: %s\n", (int)c->id.number, message);
    c->out.say(c->out.ctx, &m);
    return OBJECTIVE_ENDED;
}

/* After each word that the daemon writes down. */
static void rest(struct command *c)
{
    c->reads_ms =
        MS_PER_REPORT + (c->reads_ms > c->now_ms ? c->reads_ms : c->now_ms);
}

static void say_report(struct command *c, int64_t step, double value)
{
    struct msg m = {.type = MSG_REPORT, .report = {.id = c->id, .epoch = step}};
    for (int i = 0; i < RUN_N_METRICS; i++) {
        m.report.metrics.value[i] = i == c->metric ? value : (double)NAN;
    }
    c->out.say(c->out.ctx, &m);
    rest(c);
}

/* It tells faster than the daemon takes, or may take: the pipe holds it back.
 */
static bool is_ahead(const struct command *c)
{
    bool is_dropped = c->cause != 0 || (c->is_stopping && c->process.has_ended);
    return !is_dropped &&
           (c->reads_ms > c->now_ms || c->out.is_slow(c->out.ctx));
}

static void say_progress(struct command *c, int64_t mono_ms)
{
    if (mono_ms - c->progress_ms < PROGRESS_EVERY_MS) {
        return;
    }
    c->progress_ms = mono_ms;
    struct msg m = {
        .type = MSG_PROGRESS,
        .progress = {.id = c->id,
                     .phase = (char *)"command",
                     .epoch = c->step,
                     .step = (mono_ms - c->begun_ms) / PROGRESS_EVERY_MS,
                     .loss = c->value}};
    c->out.say(c->out.ctx, &m);
}

static void end_it(struct command *c, int cause, const char *why)
{
    if (c->cause == 0) {
        c->cause = cause;
        snprintf(c->why, sizeof(c->why), "%s", why);
        process_signal(&c->process, SIGKILL);
    }
}

/* --- what it tells --- */

static void take_value(struct command *c, int64_t step, double value)
{
    bool is_better = c->maximize ? value > c->value : value < c->value;
    bool is_first = !c->has_value || isnan(c->value);
    if (!c->is_final && (c->of_last || is_first || is_better)) {
        c->value = value;
        c->best_step = step;
    }
    c->has_value = true;
}

/* Steps ascend: one that does not is ignored. The log hears of it once, unless
 * it is the last one told again as it was. */
static void take_step(struct command *c, int64_t step, double value)
{
    bool is_again =
        step == c->step && memcmp(&value, &c->step_value, sizeof(value)) == 0;
    if (step > c->step) {
        c->step = step;
        c->step_value = value;
        take_value(c, step, value);
        say_report(c, step, value);
    } else if (!is_again && !c->said_order) {
        c->said_order = true;
        printf("trial %d: step %" PRId64 " is ignored: steps must ascend, and "
               "step %" PRId64 " was told before it\n",
               (int)c->id.number, step, c->step);
    }
}

static void take_constraints(struct command *c, char *values)
{
    struct msg m = {.type = MSG_CONSTRAINTS,
                    .constraints = {.id = c->id, .values = values}};
    c->out.say(c->out.ctx, &m);
    c->has_constraints = true;
    rest(c);
}

static void take_told(struct command *c, const struct told *told)
{
    if (told->constraints != NULL) {
        take_constraints(c, told->constraints);
    }
    if (told->has_value && told->has_step) {
        take_step(c, told->step, told->value);
    } else if (told->has_value) {
        c->value = told->value;
        c->has_value = c->is_final = true;
    }
}

/* Text from the program as a sentence may hold it, cut to fit in size. */
static void put_printable(const char *text, size_t len, char *out, size_t size)
{
    struct buf shown;
    buf_init(&shown, 8 * LINES_MAX);
    utf8_printable_bytes(&shown, text, len);
    size_t n = shown.len < size ? shown.len : size - 1;
    n = utf8_valid_prefix(shown.data != NULL ? shown.data : "", n);
    snprintf(out, size, "%.*s", (int)n, shown.data != NULL ? shown.data : "");
    buf_fini(&shown);
}

/* The sentence quotes the line: it may be one of thousands. */
static void end_at_line(struct command *c, const char *line, size_t n,
                        const char *why)
{
    char shown[QUOTE_MAX + 1];
    put_printable(line, n, shown, sizeof(shown));
    const char *dots = n > QUOTE_MAX ? "..." : "";
    char *all = mem_printf("the line '%s%s' is refused: %s", shown, dots, why);
    end_it(c, TRIAL_CAUSE_METRIC, all);
    free(all);
}

static void on_line(void *ctx, const char *line, size_t n, bool is_whole)
{
    struct command *c = ctx;
    static const char prefix[] = "parzen:";
    if (strncmp(line, prefix, strlen(prefix)) != 0) {
        return;
    }
    struct told told;
    struct err err;
    if (!is_whole) {
        end_at_line(c, line, n, "it has 64 KiB or more");
        return;
    }
    if (strlen(line) < n) {
        end_at_line(c, line, n, "it has a NUL byte in it");
        return;
    }
    if (told_read(line + strlen(prefix), &c->constraints, &told, &err) != 0) {
        end_at_line(c, line, n, err.msg);
        return;
    }
    take_told(c, &told);
    told_fini(&told);
}

static void on_complaint(void *ctx, const char *line, size_t n, bool is_whole)
{
    struct command *c = ctx;
    (void)is_whole; /* it is cut much shorter anyway */
    if (line[strspn(line, " \t")] != '\0') {
        put_printable(line, n, c->complaint, sizeof(c->complaint));
    }
}

static void count_bytes(struct command *c, size_t n)
{
    c->n_bytes += (int64_t)n;
    if (c->n_bytes > c->output_mb << 20) {
        end_it(c, TRIAL_CAUSE_EXIT, "wrote more than objective.output_mb");
    }
}

/* What is there now of one stream; false: it is over. */
static bool read_stream(struct command *c, int fd, struct lines *lines,
                        lines_taker *take)
{
    char bytes[16 << 10];
    ssize_t n;
    while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
        lines_add(lines, bytes, (size_t)n, take, c);
        count_bytes(c, (size_t)n);
        if (is_ahead(c) || c->cause != 0) {
            return true;
        }
    }
    return n < 0;
}

/* What is there now; waits for it at most wait_ms. What it said comes before
 * what it complained of at the same time: it ends after that. */
static void read_output(struct command *c, int wait_ms)
{
    struct pollfd fds[3] = {{.fd = c->process.status_fd, .events = POLLIN},
                            {.fd = c->process.out_fd, .events = POLLIN},
                            {.fd = c->process.err_fd, .events = POLLIN}};
    if (poll(fds, 3, wait_ms) <= 0) {
        return;
    }
    bool says = read_stream(c, fds[1].fd, &c->said, on_line);
    bool complains = read_stream(c, fds[2].fd, &c->complained, on_complaint);
    fflush(stdout);
    if (!(says && complains) && c->cause == 0 &&
        !process_has_ended(&c->process)) {
        /* it closed one and goes on: that one would end each wait at once */
        fds[1].fd = says ? fds[1].fd : -1;
        fds[2].fd = complains ? fds[2].fd : -1;
        poll(fds, 3, wait_ms);
    }
}

/* --- limits --- */

static void check_limits(struct command *c, int64_t mono_ms)
{
    char why[128];
    int64_t ran_ms = mono_ms - c->begun_ms;
    if (c->is_stopping) {
        if (mono_ms - c->stop_ms > c->grace_ms) {
            process_signal(&c->process, SIGKILL);
        }
        return;
    }
    if ((double)ran_ms > 1000.0 * c->timeout) { /* never, when it is NaN */
        snprintf(why, sizeof(why), "took longer than %g s", c->timeout);
        end_it(c, TRIAL_CAUSE_TIMEOUT, why);
    }
    if (c->memory_mb > 0 && process_exceeds(&c->process, c->memory_mb << 20)) {
        snprintf(why, sizeof(why), "used more than %" PRId64 " MB",
                 c->memory_mb);
        end_it(c, TRIAL_CAUSE_OOM, why);
    }
}

/* --- its end --- */

static enum objective_turn say_done(struct command *c)
{
    if (!c->has_value) {
        return say_failed(c, TRIAL_CAUSE_METRIC,
                          "it ended well but told no value (parzen: "
                          "{\"value\": 0.7})");
    }
    if (c->constraints.n > 0 && !c->has_constraints) {
        return say_failed(c, TRIAL_CAUSE_METRIC,
                          "it told no constraints (parzen: {\"constraints\": "
                          "[-1]})");
    }
    if (isnan(c->value)) {
        return say_failed(c, TRIAL_CAUSE_NAN, "its value is not a number");
    }
    struct msg m = {.type = MSG_DONE,
                    .done = {.id = c->id,
                             .value = c->value,
                             .best_epoch = c->is_final ? -1 : c->best_step,
                             .n_epochs = c->step + 1}};
    c->out.say(c->out.ctx, &m);
    return OBJECTIVE_ENDED;
}

static enum objective_turn say_ended(struct command *c)
{
    int status = c->process.status;
    char why[128 + COMPLAINT_MAX];
    const char *comma = c->complaint[0] != '\0' ? ": " : "";
    if (c->is_stopping) {
        struct msg m = {.type = MSG_STOPPED, .stopped = {.id = c->id}};
        c->out.say(c->out.ctx, &m);
        return OBJECTIVE_ENDED;
    }
    if (c->cause != 0) {
        return say_failed(c, c->cause, c->why);
    }
    if (c->process.is_lost) {
        return say_failed(c, TRIAL_CAUSE_LOST,
                          "the process that guards it was killed");
    }
    if (WIFSIGNALED(status)) {
        snprintf(why, sizeof(why), "it was killed by signal %d (%s)%s%s",
                 WTERMSIG(status), strsignal(WTERMSIG(status)), comma,
                 c->complaint);
        return say_failed(c, TRIAL_CAUSE_SIGNAL, why);
    }
    int code = WEXITSTATUS(status);
    if (code == EXIT_INTERRUPTED) {
        return say_failed(c, TRIAL_CAUSE_LOST, "it was interrupted (exit 130)");
    }
    if (code != 0) {
        snprintf(why, sizeof(why), "it ended with exit code %d%s%s", code,
                 comma, c->complaint);
        return say_failed(c, TRIAL_CAUSE_EXIT, why);
    }
    return say_done(c);
}

enum objective_turn command_step(void *job, int64_t mono_ms)
{
    struct command *c = job;
    c->begun_ms = c->begun_ms == 0 ? mono_ms : c->begun_ms;
    if (c->is_stopping && c->stop_ms == 0) {
        c->stop_ms = mono_ms;
    }
    c->now_ms = mono_ms;
    if (is_ahead(c)) {
        poll(NULL, 0, MS_PER_REPORT);
    } else {
        read_output(c, WAIT_MS);
    }
    if (process_has_ended(&c->process) && !is_ahead(c)) {
        read_output(c, 0); /* its last words */
    }
    if (c->process.has_ended && !is_ahead(c)) {
        lines_end(&c->said, on_line, c);
        lines_end(&c->complained, on_complaint, c);
        fflush(stdout);
        return say_ended(c);
    }
    check_limits(c, mono_ms);
    say_progress(c, mono_ms);
    return OBJECTIVE_BUSY;
}

bool command_stop(void *job, bool keep)
{
    struct command *c = job;
    c->is_stopping = true;
    c->stop_ms = 0;
    c->grace_ms = keep ? GRACE_MS : GRACE_DROPPED_MS;
    process_signal(&c->process, SIGTERM);
    return false;
}

void command_free(void *job)
{
    struct command *c = job;
    process_fini(&c->process);
    lines_fini(&c->said);
    lines_fini(&c->complained);
    strings_fini(&c->constraints);
    free(c);
}

/* --- its beginning --- */

static double number_of(const struct json *spec, const char *key, double absent)
{
    const struct json *node = json_get(spec, key);
    return node != NULL && json_kind(node) == JSON_NUMBER ? json_number(node)
                                                          : absent;
}

static struct command *command_new(const struct objective_task *task)
{
    const struct msg_assign *a = task->assign;
    struct command *c = mem_alloc(1, sizeof(*c));
    *c = (struct command){
        .id = a->id,
        .out = task->out,
        .metric = (int)a->metric,
        .maximize = a->maximize != 0,
        .of_last = a->of_last != 0,
        .timeout = number_of(task->spec, "timeout_seconds", NAN),
        .memory_mb = (int64_t)number_of(task->spec, "memory_mb", 0),
        .output_mb = (int64_t)number_of(task->spec, "output_mb", 64),
        .step = -1,
        .best_step = -1,
        .value = NAN,
    };
    const struct json *names = json_get(task->spec, "constraints");
    for (const struct json *name = names != NULL ? json_first(names) : NULL;
         name != NULL; name = json_next(name)) {
        strings_add(&c->constraints, mem_strdup(json_string(name)));
    }
    lines_init(&c->said);
    lines_init(&c->complained);
    return c;
}

static int start(const struct objective_task *task, struct command *c,
                 const char *params_file, const char *checkpoints,
                 struct err *err)
{
    const struct json *command = json_get(task->spec, "command");
    const struct json *directory = json_get(task->spec, "directory");
    struct strings argv = {0}, env = {0};
    if (command != NULL) {
        given_arguments(command, json_get(task->spec, "params"), task->params,
                        &argv);
    }
    const char *where = directory != NULL &&
                                json_kind(directory) == JSON_STRING &&
                                json_string(directory)[0] != '\0'
                            ? json_string(directory)
                            : checkpoints;
    given_environment(task, params_file, checkpoints, &env);
    int rc = argv.n > 0
                 ? process_start(argv.items, env.items, where, &c->process, err)
                 : err_set(err, ERR_INVALID, "objective.command: missing");
    strings_fini(&argv);
    strings_fini(&env);
    return rc;
}

int command_begin(const struct objective_task *task, void **job,
                  struct err *err)
{
    char *checkpoints, *params_file;
    int rc = own_folder_make(task->assign->dir, task->assign->params,
                             &checkpoints, &params_file, err);
    if (rc != 0) {
        return rc;
    }
    struct command *c = command_new(task);
    rc = start(task, c, params_file, checkpoints, err);
    free(checkpoints);
    free(params_file);
    if (rc != 0) {
        lines_fini(&c->said);
        lines_fini(&c->complained);
        strings_fini(&c->constraints);
        free(c);
        return rc;
    }
    *job = c;
    return 0;
}
