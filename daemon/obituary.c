#include "daemon/obituary.h"
#include "core/base/buf.h"
#include "core/base/utf8.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* How often the kernel killed for memory in our cgroup; -1 when unknown. */
static long count_oom_kills(void)
{
    char line[512] = "", path[600];
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (f == NULL) {
        return -1;
    }
    char *got = fgets(line, sizeof(line), f);
    fclose(f);
    if (got == NULL || strncmp(line, "0::", 3) != 0) {
        return -1;
    }
    line[strcspn(line, "\n")] = '\0';
    snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.events", line + 3);
    f = fopen(path, "re");
    long n = -1;
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        if (sscanf(line, "oom_kill %ld", &n) == 1) {
            break;
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    return n;
}

void obituary_begin(struct obituary *o)
{
    *o = (struct obituary){.oom_kills = count_oom_kills(),
                           .verdict = TRIAL_CAUSE_NONE};
}

static void add_words(struct obituary *o, const char *at, size_t n)
{
    if (n >= OBITUARY_WORDS) {
        memcpy(o->words, at + n - OBITUARY_WORDS, OBITUARY_WORDS);
        o->n_words = OBITUARY_WORDS;
        return;
    }
    size_t room = OBITUARY_WORDS - n;
    size_t keep = o->n_words < room ? o->n_words : room;
    memmove(o->words, o->words + o->n_words - keep, keep);
    memcpy(o->words + keep, at, n);
    o->n_words = keep + n;
}

/* A piece of one line. What a command tells (worker/command.h) stands in its
 * trial; here it would leave no room for what it says otherwise. */
static void hear_line(struct obituary *o, const char *at, size_t n)
{
    static const char mark[] = "parzen:";
    const int n_all = (int)sizeof(mark) - 1;
    size_t from = 0;
    while (from < n && o->n_mark >= 0 && o->n_mark < n_all &&
           at[from] == mark[o->n_mark]) {
        o->n_mark++;
        from++;
    }
    if (from == n || o->n_mark == n_all) {
        return;
    }
    if (o->n_mark > 0) {
        add_words(o, mark, (size_t)o->n_mark);
    }
    o->n_mark = -1;
    add_words(o, at + from, n - from);
}

void obituary_hear(struct obituary *o, const char *at, size_t n)
{
    while (n > 0) {
        const char *end = memchr(at, '\n', n);
        size_t len = end != NULL ? (size_t)(end - at) + 1 : n;
        hear_line(o, at, len);
        if (end != NULL) {
            o->n_mark = 0;
        }
        at += len;
        n -= len;
    }
}

void obituary_forget(struct obituary *o)
{
    o->n_words = 0;
    o->n_mark = 0;
}

void obituary_condemn(struct obituary *o, enum trial_cause verdict,
                      const char *why)
{
    if (o->verdict == TRIAL_CAUSE_NONE) {
        o->verdict = verdict;
        snprintf(o->why, sizeof(o->why), "%s", why);
    }
}

static enum trial_cause cause_of_death(const struct obituary *o,
                                       int exit_status, int term_signal,
                                       struct buf *out)
{
    if (o->verdict != TRIAL_CAUSE_NONE) {
        buf_str(out, o->why);
        return o->verdict;
    }
    if (term_signal == SIGKILL && o->oom_kills >= 0 &&
        count_oom_kills() > o->oom_kills) {
        buf_str(out, "out of memory: the kernel killed the worker");
        return TRIAL_CAUSE_OOM;
    }
    if (term_signal != 0) {
        buf_printf(out, "the worker was killed by signal %d (%s)", term_signal,
                   strsignal(term_signal));
        return TRIAL_CAUSE_SIGNAL;
    }
    if (exit_status != 0) {
        buf_printf(out, "the worker exited with code %d", exit_status);
        return TRIAL_CAUSE_EXIT;
    }
    buf_str(out, "the worker ended without a word");
    return TRIAL_CAUSE_LOST;
}

/* What is valid and printable of them, in one line. */
static void add_last_words(const struct obituary *o, struct buf *out)
{
    size_t n = o->n_words, from = 0;
    while (n > 0 && (o->words[n - 1] == '\n' || o->words[n - 1] == '\r')) {
        n--;
    }
    while (from < n && ((unsigned char)o->words[from] & 0xC0) == 0x80) {
        from++; /* the ring may begin inside a character */
    }
    n = from + utf8_valid_prefix(o->words + from, n - from);
    if (n > from) {
        buf_str(out, "; last words: ");
    }
    while (from < n) {
        const char *end = memchr(o->words + from, '\n', n - from);
        size_t to = end != NULL ? (size_t)(end - o->words) : n;
        utf8_printable(out, o->words + from, to - from);
        buf_str(out, end != NULL ? " | " : "");
        from = to + 1;
    }
}

enum trial_cause obituary_end(const struct obituary *o, int exit_status,
                              int term_signal, struct buf *out)
{
    enum trial_cause cause = cause_of_death(o, exit_status, term_signal, out);
    add_last_words(o, out);
    return cause;
}
