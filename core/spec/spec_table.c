#include "core/spec/spec_table.h"

#include <string.h>

#define SAMPLER(name)   (1u << SPEC_SAMPLER_##name)
#define PRUNER(name)    (1u << SPEC_PRUNER_##name)
#define OBJECTIVE(name) (1u << SPEC_OBJECTIVE_##name)

/* X(section, path, key, TYPE, member, low, high, required, may_change, takers,
 * help). The run's fields follow; of `data` both tables have rows. */
#define SPEC_KEYS(X)                                                           \
    X("", "study", study, NAME, name, 0, 0, 1, 0, 0, "name of the study")      \
    X("objective", "objective.type", type, OBJECTIVE, objective, 0, 0, 0, 0,   \
      0,                                                                       \
      "what a trial does: the built-in training, a table of finished "         \
      "trainings, a test function, or any program")                            \
    X("objective", "objective.path", path, TEXT, work.path, 0, 0, 0, 0,        \
      OBJECTIVE(TABLE),                                                        \
      "its file, JSON: {\"space\": [{\"name\": NAME, \"values\": "             \
      "[...]}, ...], \"values\": [...]}, with a number (or null) in values "   \
      "for "                                                                   \
      "each point of the space, the last parameter varying fastest; params "   \
      "has each NAME, with indices from 0 as values, or the strings that its " \
      "list has")                                                              \
    X("objective", "objective.function", function, TEXT, work.function, 0, 0,  \
      0, 0, OBJECTIVE(FUNCTION),                                               \
      "its name: sphere, branin, hartmann6, rosenbrock, rastrigin, "           \
      "ackley, levy, styblinski-tang, michalewicz or shekel10")                \
    X("objective", "objective.command", command, COMMAND, work, 0, 0, 0, 0,    \
      OBJECTIVE(COMMAND),                                                      \
      "program and arguments; {NAME} becomes a parameter's value")             \
    X("objective", "objective.directory", directory, TEXT, work.directory, 0,  \
      0, 0, 0, OBJECTIVE(COMMAND),                                             \
      "where it runs; default: the config's folder")                           \
    X("objective", "objective.timeout_seconds", timeout_seconds, OPTIONAL,     \
      work.timeout, 0.001, 1e9, 0, 1, OBJECTIVE(COMMAND),                      \
      "longest time of one attempt")                                           \
    X("objective", "objective.memory_mb", memory_mb, INT, work.memory_mb, 0,   \
      1000000000, 0, 1, OBJECTIVE(COMMAND),                                    \
      "most memory of all its processes; 0: no limit")                         \
    X("objective", "objective.output_mb", output_mb, INT, work.output_mb, 1,   \
      1000000, 0, 1, OBJECTIVE(COMMAND), "most output of one attempt")         \
    X("objective", "objective.constraints", constraints, CONSTRAINTS, work, 0, \
      0, 0, 0, OBJECTIVE(COMMAND),                                             \
      "names of the constraints that it tells; a trial of which any "          \
      "is above 0 is infeasible")                                              \
    X("objective", "objective.metric", metric, METRIC, metric, 0, 0, 0, 0, 0,  \
      "what the search improves: an epoch metric of the training; of a "       \
      "command any name that its value shall have")                            \
    X("objective", "objective.direction", direction, DIRECTION, direction, 0,  \
      0, 0, 0, 0,                                                              \
      "default: minimize a loss, maximize any other metric; a table, "         \
      "function "                                                              \
      "or command whose metric is not written is minimized; required with "    \
      "a metric that is not the training's")                                   \
    X("objective", "objective.of", of, OF, of, 0, 0, 0, 0, 0,                  \
      "the value of a trial is its best epoch's or its last epoch's")          \
    X("", "n_trials", n_trials, INT, n_trials, 1, SPEC_MAX_TRIALS, 0, 1, 0,    \
      "finished trials that end the study")                                    \
    X("", "seed", seed, SEED, base.seed, 0, 0x1p53, 0, 0, 0,                   \
      "of every random stream of the study; a command has it as PARZEN_SEED, " \
      "the same in every trial, and mixes PARZEN_TRIAL in where trials shall " \
      "differ")                                                                \
    X("", "workers", workers, INT, workers, 0, SPEC_MAX_WORKERS, 0, 1, 0,      \
      "largest share of the daemon's workers; 0: no cap")                      \
    X("", "threads_per_worker", threads_per_worker, INT, base.threads, 1,      \
      RUN_MAX_THREADS, 0, 1, OBJECTIVE(CLASSIFIER), "threads of one training") \
    X("sampler", "sampler.type", type, SAMPLER, sampler, 0, 0, 0, 0, 0,        \
      "how parameters are chosen")                                             \
    X("sampler", "sampler.n_startup_trials", n_startup_trials, INT,            \
      tpe.n_startup_trials, 0, SPEC_MAX_TRIALS, 0, 0, SAMPLER(TPE),            \
      "random trials before the first model")                                  \
    X("sampler", "sampler.n_ei_candidates", n_ei_candidates, INT,              \
      tpe.n_ei_candidates, 1, 100000, 0, 0, SAMPLER(TPE),                      \
      "candidates of which the best is taken")                                 \
    X("sampler", "sampler.multivariate", multivariate, BOOL, tpe.multivariate, \
      0, 0, 0, 0, SAMPLER(TPE), "model the parameters jointly")                \
    X("sampler", "sampler.group", group, BOOL, tpe.group, 0, 0, 0, 0,          \
      SAMPLER(TPE),                                                            \
      "one joint model per group of parameters that occur together")           \
    X("sampler", "sampler.constant_liar", constant_liar, BOOL,                 \
      tpe.constant_liar, 0, 0, 0, 0, SAMPLER(TPE),                             \
      "running trials count as bad, so that workers spread out")               \
    X("sampler", "sampler.prior_weight", prior_weight, REAL, tpe.prior_weight, \
      1e-12, 1e12, 0, 0, SAMPLER(TPE), "weight of the prior kernel")           \
    X("sampler", "sampler.consider_magic_clip", consider_magic_clip, BOOL,     \
      tpe.consider_magic_clip, 0, 0, 0, 0, SAMPLER(TPE),                       \
      "bound kernel widths from below")                                        \
    X("sampler", "sampler.consider_endpoints", consider_endpoints, BOOL,       \
      tpe.consider_endpoints, 0, 0, 0, 0, SAMPLER(TPE),                        \
      "the range's ends count when kernel widths are set")                     \
    X("sampler", "sampler.learn_from_failures", learn_from_failures, BOOL,     \
      tpe.learn_from_failures, 0, 0, 0, 0, SAMPLER(TPE),                       \
      "failed trials count as bad, so that the search keeps away from them")   \
    X("sampler", "sampler.duplicates", duplicates, DUPLICATES, duplicates, 0,  \
      0, 0, 0, 0, "avoid: a point of a discrete space is tried once")          \
    X("sampler", "sampler.qmc_type", qmc_type, QMC, qmc, 0, 0, 0, 0,           \
      SAMPLER(QMC), "the sequence")                                            \
    X("sampler", "sampler.scramble", scramble, BOOL, qmc_scramble, 0, 0, 0, 0, \
      SAMPLER(QMC), "scramble the sequence at random")                         \
    X("pruner", "pruner.type", type, PRUNER, pruner, 0, 0, 0, 0, 0,            \
      "how hopeless trials are ended early")                                   \
    X("pruner", "pruner.wrapped", wrapped, PRUNER, pruning.wrapped, 0, 0, 0,   \
      0, PRUNER(PATIENT), "asked when patience is over; none: prune at once")  \
    X("pruner", "pruner.percentile", percentile, REAL, pruning.percentile, 0,  \
      100, 0, 0, PRUNER(PERCENTILE),                                           \
      "the share of trials that survives a step")                              \
    X("pruner", "pruner.n_startup_trials", n_startup_trials, INT,              \
      pruning.n_startup_trials, 0, SPEC_MAX_TRIALS, 0, 0,                      \
      PRUNER(MEDIAN) | PRUNER(PERCENTILE),                                     \
      "complete trials before the first is pruned")                            \
    X("pruner", "pruner.n_warmup_steps", n_warmup_steps, INT,                  \
      pruning.n_warmup_steps, 0, 1000000000, 0, 0,                             \
      PRUNER(MEDIAN) | PRUNER(PERCENTILE) | PRUNER(THRESHOLD),                 \
      "steps that no trial is pruned before")                                  \
    X("pruner", "pruner.interval_steps", interval_steps, INT,                  \
      pruning.interval_steps, 1, 1000000000, 0, 0,                             \
      PRUNER(MEDIAN) | PRUNER(PERCENTILE) | PRUNER(THRESHOLD),                 \
      "steps from one look to the next")                                       \
    X("pruner", "pruner.n_min_trials", n_min_trials, INT,                      \
      pruning.n_min_trials, 1, SPEC_MAX_TRIALS, 0, 0,                          \
      PRUNER(MEDIAN) | PRUNER(PERCENTILE),                                     \
      "complete trials that must have reached the step")                       \
    X("pruner", "pruner.min_resource", min_resource, INT,                      \
      pruning.min_resource, 0, 1000000000, 0, 0,                               \
      PRUNER(ASHA) | PRUNER(HYPERBAND),                                        \
      "steps to the first rung; 0: from the complete trials "                  \
      "(asha), 1 (hyperband)")                                                 \
    X("pruner", "pruner.max_resource", max_resource, INT,                      \
      pruning.max_resource, 0, 1000000000, 0, 0, PRUNER(HYPERBAND),            \
      "steps of a whole trial; 0: from the complete trials")                   \
    X("pruner", "pruner.reduction_factor", reduction_factor, INT,              \
      pruning.reduction_factor, 0, 1000000, 0, 0,                              \
      PRUNER(ASHA) | PRUNER(HYPERBAND),                                        \
      "one in so many is promoted; 0: 4 (asha), 3 "                            \
      "(hyperband)")                                                           \
    X("pruner", "pruner.min_early_stopping_rate", min_early_stopping_rate,     \
      INT, pruning.min_early_stopping_rate, 0, 1000, 0, 0, PRUNER(ASHA),       \
      "rungs that are left out at the bottom")                                 \
    X("pruner", "pruner.bootstrap_count", bootstrap_count, INT,                \
      pruning.bootstrap_count, 0, SPEC_MAX_TRIALS, 0, 0,                       \
      PRUNER(ASHA) | PRUNER(HYPERBAND),                                        \
      "trials in a rung before one is promoted")                               \
    X("pruner", "pruner.lower", lower, OPTIONAL, pruning.lower, -1e300, 1e300, \
      0, 0, PRUNER(THRESHOLD), "a value below it is pruned")                   \
    X("pruner", "pruner.upper", upper, OPTIONAL, pruning.upper, -1e300, 1e300, \
      0, 0, PRUNER(THRESHOLD), "a value above it is pruned")                   \
    X("pruner", "pruner.patience", patience, INT, pruning.patience, 0,         \
      1000000000, 0, 0, PRUNER(PATIENT),                                       \
      "steps without improvement that are borne")                              \
    X("pruner", "pruner.min_delta", min_delta, REAL, pruning.min_delta, 0,     \
      1e300, 0, 0, PRUNER(PATIENT),                                            \
      "an improvement is better by more than this")                            \
    X("pruner", "pruner.p_threshold", p_threshold, REAL, pruning.p_threshold,  \
      0, 1, 0, 0, PRUNER(WILCOXON),                                            \
      "prune when the best trial is better at this level")                     \
    X("pruner", "pruner.n_startup_steps", n_startup_steps, INT,                \
      pruning.n_startup_steps, 0, 1000000000, 0, 0, PRUNER(WILCOXON),          \
      "steps shared with the best trial before it is compared")                \
    X("stop", "stop.value", value, OPTIONAL, stop.value, -1e300, 1e300, 0, 1,  \
      0, "an objective value that ends the study")                             \
    X("stop", "stop.hours", hours, OPTIONAL, stop.hours, 1e-6, 1e6, 0, 1, 0,   \
      "wall time that ends the study")                                         \
    X("stop", "stop.max_failures", max_failures, INT, stop.max_failures, 1,    \
      SPEC_MAX_TRIALS, 0, 1, 0,                                                \
      "failed trials that end the study, and never more: what runs beside "    \
      "the last is put back; a resume allows one more")                        \
    X("", "params", params, PARAMS, space, 0, 0, 0, 0, 0,                      \
      "parameters of a table, function or command: NAME: distribution, which " \
      "is {\"float\": [low, high]} or {\"int\": [low, high]}, with \"step\" "  \
      "or "                                                                    \
      "\"log\", or {\"choice\": [...]}; with \"when\" only in some trials")    \
    X("data", "data.source", source, SOURCES, data, 0, 0, 1, 0,                \
      OBJECTIVE(CLASSIFIER),                                                   \
      "hf:OWNER/NAME[/CONFIG], an http(s) address or a path (.jsonl, .csv, "   \
      ".tsv), or a list of these, concatenated in order")                      \
    X("data", "data.test_source", test_source, TEST_SOURCES, data, 0, 0, 0, 0, \
      OBJECTIVE(CLASSIFIER),                                                   \
      "where the test rows come from, as data.source, when they are files of " \
      "their own; the third of data.fractions is then 0")                      \
    X("data", "data.splits", splits, SPLITS, data, 0, 0, 0, 0,                 \
      OBJECTIVE(CLASSIFIER), "splits of hf: sources, concatenated in order")   \
    X("data", "data.text", text, NAME, data.text, 0, 0, 0, 0,                  \
      OBJECTIVE(CLASSIFIER), "column with the texts")                          \
    X("data", "data.label", label, NAME, data.label, 0, 0, 0, 0,               \
      OBJECTIVE(CLASSIFIER), "column with the classes")                        \
    X("data", "data.min_class_count", min_class_count, INT,                    \
      data.min_class_count, 1, 1000000000, 0, 0, OBJECTIVE(CLASSIFIER),        \
      "classes with fewer rows are left out")                                  \
    X("data", "data.fractions", fractions, FRACTIONS, base.fractions, 0, 1, 0, \
      0, OBJECTIVE(CLASSIFIER),                                                \
      "shares of train, validation and test rows; they sum to 1")

const struct spec_row SPEC_ROWS[] = {
#define X(sec, p, k, t, member, lo, hi, required, change, by, h)               \
    {.section = sec,                                                           \
     .key = #k,                                                                \
     .path = p,                                                                \
     .help = h,                                                                \
     .type = SPEC_##t,                                                         \
     .offset = offsetof(struct spec, member),                                  \
     .low = lo,                                                                \
     .high = hi,                                                               \
     .is_required = required,                                                  \
     .may_change = change,                                                     \
     .takers = by,                                                             \
     .field = -1},
    SPEC_KEYS(X)
#undef X
#define X(sec, k, t, member, def, old, lo, hi, search, h)                      \
    {.section = #sec,                                                          \
     .key = #k,                                                                \
     .path = RUN_PATH_##sec "." #k,                                            \
     .help = h,                                                                \
     .type = SPEC_FIELD,                                                       \
     .low = lo,                                                                \
     .high = hi,                                                               \
     .takers = OBJECTIVE(CLASSIFIER),                                          \
     .field = RUN_FIELD_##member},
        RUN_FIELDS(X)
#undef X
};
const size_t SPEC_N_ROWS = ARRAY_LEN(SPEC_ROWS);

enum spec_type spec_taker_kind(const struct spec_row *row)
{
    return strcmp(row->section, "sampler") == 0  ? SPEC_SAMPLER
           : strcmp(row->section, "pruner") == 0 ? SPEC_PRUNER
                                                 : SPEC_OBJECTIVE;
}

static const char *const DIRECTIONS[] = {
    [SPEC_MINIMIZE] = "minimize", [SPEC_MAXIMIZE] = "maximize"};
static const char *const OF[] = {
    [SPEC_OF_BEST] = "best", [SPEC_OF_LAST] = "last"};
static const char *const SAMPLERS[] = {
    [SPEC_SAMPLER_TPE] = "tpe",   [SPEC_SAMPLER_RANDOM] = "random",
    [SPEC_SAMPLER_GRID] = "grid", [SPEC_SAMPLER_BRUTE_FORCE] = "brute-force",
    [SPEC_SAMPLER_QMC] = "qmc",   [SPEC_SAMPLER_CMAES] = "cmaes"};
static const char *const PRUNERS[] = {[SPEC_PRUNER_NONE] = "none",
                                      [SPEC_PRUNER_MEDIAN] = "median",
                                      [SPEC_PRUNER_PERCENTILE] = "percentile",
                                      [SPEC_PRUNER_ASHA] = "asha",
                                      [SPEC_PRUNER_HYPERBAND] = "hyperband",
                                      [SPEC_PRUNER_THRESHOLD] = "threshold",
                                      [SPEC_PRUNER_PATIENT] = "patient",
                                      [SPEC_PRUNER_WILCOXON] = "wilcoxon"};
static const char *const OBJECTIVES[] = {[SPEC_OBJECTIVE_CLASSIFIER] =
                                             "classifier",
                                         [SPEC_OBJECTIVE_TABLE] = "table",
                                         [SPEC_OBJECTIVE_FUNCTION] = "function",
                                         [SPEC_OBJECTIVE_COMMAND] = "command"};
static const char *const DUPLICATES[] = {
    [SPEC_DUPLICATES_ALLOW] = "allow", [SPEC_DUPLICATES_AVOID] = "avoid"};
static const char *const QMC[] = {
    [SPEC_QMC_SOBOL] = "sobol", [SPEC_QMC_HALTON] = "halton"};

const char *const *spec_words(enum spec_type type, size_t *n)
{
    static const struct {
        const char *const *words;
        size_t n;
    } WORDS[] = {
        [SPEC_METRIC] = {RUN_METRIC_NAMES, RUN_N_METRICS},
        [SPEC_DIRECTION] = {DIRECTIONS, ARRAY_LEN(DIRECTIONS)},
        [SPEC_OF] = {OF, ARRAY_LEN(OF)},
        [SPEC_SAMPLER] = {SAMPLERS, ARRAY_LEN(SAMPLERS)},
        [SPEC_PRUNER] = {PRUNERS, ARRAY_LEN(PRUNERS)},
        [SPEC_OBJECTIVE] = {OBJECTIVES, ARRAY_LEN(OBJECTIVES)},
        [SPEC_DUPLICATES] = {DUPLICATES, ARRAY_LEN(DUPLICATES)},
        [SPEC_QMC] = {QMC, ARRAY_LEN(QMC)},
    };
    bool is_enum = (size_t)type < ARRAY_LEN(WORDS);
    *n = is_enum ? WORDS[type].n : 0;
    return is_enum ? WORDS[type].words : NULL;
}

struct spec_list spec_list_of(const struct spec *s, enum spec_type type)
{
#define LIST(member, n_member)                                                 \
    {                                                                          \
        offsetof(struct spec, member), offsetof(struct spec, n_member)         \
    }
    static const struct {
        size_t items, n;
    } LISTS[] = {
        [SPEC_SOURCES] = LIST(data.sources, data.n_sources),
        [SPEC_TEST_SOURCES] = LIST(data.test_sources, data.n_test_sources),
        [SPEC_SPLITS] = LIST(data.splits, data.n_splits),
        [SPEC_COMMAND] = LIST(work.command, work.n_command),
        [SPEC_CONSTRAINTS] = LIST(work.constraints, work.n_constraints),
    };
#undef LIST
    if ((size_t)type >= ARRAY_LEN(LISTS) || LISTS[type].n == 0) {
        return (struct spec_list){NULL, NULL};
    }
    return (struct spec_list){(void *)((char *)s + LISTS[type].items),
                              (void *)((char *)s + LISTS[type].n)};
}

void *spec_at(struct spec *s, const struct spec_row *row)
{
    return (char *)s + row->offset;
}

const void *spec_at_const(const struct spec *s, const struct spec_row *row)
{
    return (const char *)s + row->offset;
}

const struct param *spec_param_of(const struct spec *s, int field)
{
    for (size_t i = 0; i < s->space.n; i++) {
        if (s->space.params[i].field == field) {
            return &s->space.params[i];
        }
    }
    return NULL;
}
