/* home_study: studies of a home, over the daemon's socket and in the raw rows:
 * requests, what a study came to as one text, and the invariants that must
 * hold after any crash. */
#ifndef TESTS_LIB_HOME_STUDY_H
#define TESTS_LIB_HOME_STUDY_H
#include "tests/lib/home.h"

/* One request over STATE/sock; path is below /api/v1 and percent-encoded, body
 * may be NULL. Returns the HTTP status, 0 when nobody answers; *reply is the
 * body, owned (reply may be NULL). */
int home_http(const struct home *h, const char *method, const char *path,
              const char *body, char **reply);
/* POST a config file; the test fails unless the status is 201 (or 200). */
void home_post(const struct home *h, const char *config_path);
/* Wait until the study is in this state ("finished"); fails after timeout. */
void home_wait_state(const struct home *h, const char *study, const char *state,
                     int timeout_s);

/* All that a study's trials came to: parameters, values, every epoch's metrics
 * (as hexadecimal floats) and the SHA-256 of each best checkpoint's file.
 * Owned. Two runs of one config with one worker have equal texts. */
char *home_results(const struct home *h, const char *study);
/* Fail, showing the first differing line, unless the texts are equal. */
void home_same(const char *expected, const char *got, const char *context);

/* The invariants of the raw rows and files, of every study: fails with the
 * first broken one. The daemon must not be at work on them. */
void home_check(const struct home *h, const char *context);

/* SIGTERM, after which all of that holds; the end of the home. */
void home_end(struct home *h, const char *context);

/* Run the command line: it must end with this code and say this (on standard
 * output or standard error; NULL: anything). Gives what it printed on standard
 * output; owned. */
char *home_expect(const struct home *h, int code, const char *says,
                  const char *const *args);
/* The same where only code and words matter: EXPECT(h, 4, "no study", ...). */
#define EXPECT(h, code, says, ...)                                             \
    free(home_expect(h, code, says, (const char *const[]){__VA_ARGS__, NULL}))

/* Every suggestion of the study can be computed again, and the doctor finds
 * nothing. */
void home_replays(const struct home *h, const char *study);

/* $NAME as a number, for repetitions and seeds. */
long home_env(const char *name, long absent);

/* `parzen run CONFIG`, which must end with this code. */
void home_run(const struct home *h, const char *config_path, int code);
/* The path of the config of a study of one command; the script is what `sh`
 * runs, with {x}. members and limits: more of the config and of its objective,
 * each with a comma behind it, or empty. */
const char *home_command(const struct home *h, const char *name,
                         const char *members, const char *limits,
                         const char *script);
/* The same of a study of the sphere function; params: members of its own. */
const char *home_function(const struct home *h, const char *name,
                          const char *members, const char *params);
/* Write a study's config to DIR/NAME.json; takes the text, gives the path. */
const char *home_json(const struct home *h, const char *name, char *text);

#endif
