/* config: a study config from a file and the flags that change it. */
#ifndef DAEMON_CLI_CONFIG_H
#define DAEMON_CLI_CONFIG_H
#include "core/base/err.h"
#include <stdbool.h>
#include <stdint.h>
struct argp_option;
struct argp_state;
struct spec;

struct config_flags { /* zeroed: none */
    const char *name; /* --name; borrowed, as all here */
    int64_t n_trials; /* --trials, 0: none */
    int64_t workers;  /* --workers, 0: none */
    int64_t seed;     /* --seed */
    bool has_seed;
    const char **sets; /* PATH=VALUE, in order; the list is owned */
    size_t n_sets;
};
enum {
    CONFIG_KEY_NAME = 0x200,
    CONFIG_KEY_TRIALS,
    CONFIG_KEY_WORKERS,
    CONFIG_KEY_SEED,
    CONFIG_KEY_SET
};
/* For the tables of commands that take them. */
#define CONFIG_OPTION_SET                                                      \
    {                                                                          \
        "set", CONFIG_KEY_SET, "PATH=VALUE", 0,                                \
            "change one value of the config, as in --set training.lr=0.001 "   \
            "or "                                                              \
            "--set 'training.lr={\"float\":[1e-5,1e-3],\"log\":true}'; may "   \
            "be "                                                              \
            "repeated",                                                        \
            0                                                                  \
    }
#define CONFIG_OPTION_SEED                                                     \
    {                                                                          \
        "seed", CONFIG_KEY_SEED, "N", 0, "seed of everything random", 0        \
    }
/* Take one of these options; false when key is none of them. */
bool config_on_option(struct config_flags *f, int key, const char *arg,
                      struct argp_state *state);
void config_flags_fini(struct config_flags *f);
/* Who says what stands at this path of what config_read gives: an option, or
 * "the config". */
const char *config_who_says(const struct config_flags *f, const char *path);

/* Read, change and validate. Relative paths of data sources start at the
 * file's folder, those of --set at the current one. *out is to be released by
 * spec_fini. INVALID for everything a person can mend in file or flags: the
 * sentence begins with the file's name. */
MUST_CHECK int config_read(const char *file, const struct config_flags *f,
                           struct spec *out, struct err *err);
/* Are the sources that are files here and readable, and is a table's file,
 * which then must also fit the parameters; is a command's program one that may
 * be run, and its folder there? INVALID. */
MUST_CHECK int config_check_sources(const char *file, const struct spec *spec,
                                    struct err *err);

#endif
