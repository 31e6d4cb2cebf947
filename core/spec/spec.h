/* spec: what a study asks for: objective, budget, search, data, base run. */
#ifndef CORE_SPEC_SPEC_H
#define CORE_SPEC_SPEC_H
#include "core/spec/run.h"
#include "core/spec/space.h"

enum spec_direction { SPEC_MINIMIZE, SPEC_MAXIMIZE };
enum spec_of { SPEC_OF_BEST, SPEC_OF_LAST }; /* which epoch is the value */
enum spec_sampler {
    SPEC_SAMPLER_TPE,
    SPEC_SAMPLER_RANDOM,
    SPEC_SAMPLER_GRID,
    SPEC_SAMPLER_BRUTE_FORCE,
    SPEC_SAMPLER_QMC,
    SPEC_SAMPLER_CMAES
};
enum spec_duplicates { SPEC_DUPLICATES_ALLOW, SPEC_DUPLICATES_AVOID };
enum spec_qmc { SPEC_QMC_SOBOL, SPEC_QMC_HALTON };
enum spec_objective {
    SPEC_OBJECTIVE_CLASSIFIER, /* the built-in training */
    SPEC_OBJECTIVE_TABLE,      /* a table of finished trainings */
    SPEC_OBJECTIVE_FUNCTION,   /* a test function */
    SPEC_OBJECTIVE_COMMAND     /* any program */
};
enum spec_pruner {
    SPEC_PRUNER_NONE,
    SPEC_PRUNER_MEDIAN,
    SPEC_PRUNER_PERCENTILE,
    SPEC_PRUNER_ASHA,
    SPEC_PRUNER_HYPERBAND,
    SPEC_PRUNER_THRESHOLD,
    SPEC_PRUNER_PATIENT,
    SPEC_PRUNER_WILCOXON
};

struct spec_tpe {             /* Optuna 5's names and defaults */
    int64_t n_startup_trials; /* 10 */
    int64_t n_ei_candidates;  /* 24 */
    bool multivariate;        /* true */
    bool group;               /* false */
    bool constant_liar;       /* true */
    double prior_weight;      /* 1.0 */
    bool consider_magic_clip; /* true */
    bool consider_endpoints;  /* false */
    bool learn_from_failures; /* true; ours: FAIL trials are bad ones */
};

struct spec_pruning {         /* Optuna 5's names and defaults; who reads what:
                                 daemon/search/pruner.h */
    enum spec_pruner wrapped; /* by PATIENT; NONE: it prunes by itself */
    double percentile;        /* 25 */
    int64_t n_startup_trials; /* 5 */
    int64_t n_warmup_steps;   /* 0 */
    int64_t interval_steps;   /* 1 */
    int64_t n_min_trials;     /* 1 */
    int64_t min_resource;     /* 0: ASHA from the history, HYPERBAND 1 */
    int64_t max_resource;     /* 0: from the history */
    int64_t reduction_factor; /* 0: ASHA 4, HYPERBAND 3 */
    int64_t min_early_stopping_rate; /* 0 */
    int64_t bootstrap_count;         /* 0 */
    double lower, upper;             /* NaN: no bound */
    int64_t patience;                /* 3 */
    double min_delta;                /* 0 */
    double p_threshold;              /* 0.1 */
    int64_t n_startup_steps;         /* 2 */
};

struct spec_data {
    char **sources; /* owned, as everything here */
    size_t n_sources;
    char **test_sources; /* the test rows, when they are files of their own */
    size_t n_test_sources;
    char **splits;
    size_t n_splits;
    char *text, *label;
    int64_t min_class_count;
};

/* What a trial does; the classifier needs none of it. */
struct spec_work {
    char *metric;   /* what a command's values are called; "": not said */
    char *path;     /* of the table */
    char *function; /* a name that the worker knows */
    char **command; /* program and arguments; {NAME} is a parameter's value */
    size_t n_command;
    char *directory;    /* where the command runs; "": the trial's folder */
    double timeout;     /* seconds of one attempt; NaN: no limit */
    int64_t memory_mb;  /* of all its processes; 0: no limit */
    int64_t output_mb;  /* of its output */
    char **constraints; /* what it tells beside its value: above 0, violated */
    size_t n_constraints;
};

struct spec_stop {
    double value;         /* NaN: none; reached -> the study ends */
    double hours;         /* NaN: none; wall time of this study, summed */
    int64_t max_failures; /* FAIL trials that end the study */
};

struct spec {
    char *name;
    enum spec_objective objective;
    struct spec_work work;
    enum run_metric metric;
    enum spec_direction direction;
    enum spec_of of;
    int64_t n_trials; /* finished trials = COMPLETE + PRUNED, over all runs */
    int64_t workers;  /* this study's share of the pool; 0: no cap */
    enum spec_sampler sampler;
    enum spec_duplicates duplicates;
    enum spec_qmc qmc;
    bool qmc_scramble;
    struct spec_tpe tpe;
    enum spec_pruner pruner;
    struct spec_pruning pruning; /* the pruner's options */
    struct spec_stop stop;
    struct spec_data data;
    struct run base; /* has seed and threads; trial is 0 */
    struct space space;
};

enum {
    SPEC_NAME_MAX = 512, /* bytes; Optuna's study_name column */
    SPEC_MAX_TRIALS = 1000000,
    SPEC_MAX_WORKERS = 256,
    SPEC_MAX_CONSTRAINTS = 16,
    SPEC_METRIC_MAX = 40 /* bytes of work.metric */
};

void spec_defaults(struct spec *s);
void spec_fini(struct spec *s);
void spec_copy(struct spec *to, const struct spec *from); /* deep */
/* What its objective's values are called: "val-acc", "rmse", "value". */
const char *spec_metric_name(const struct spec *s);
/* Pairs of a training's emb_dim and num_heads, as they are fixed or searched.
 */
struct spec_heads {
    size_t n, n_impossible;     /* of n, those whose heads do not divide it */
    int64_t emb_dim, num_heads; /* the first of these */
};
/* Where one of them is only there under a condition nothing is counted. */
void spec_heads(const struct spec *s, struct spec_heads *out);
/* The run of one trial: base with values (space.n of them) applied. */
void spec_run(const struct spec *s, const double *values, int64_t trial,
              struct run *out);

#endif
