/* spec_json: the only way between a study config (JSON) and struct spec. */
#ifndef CORE_SPEC_SPEC_JSON_H
#define CORE_SPEC_SPEC_JSON_H
#include "core/base/err.h"
struct buf;
struct json;
struct spec;

/* Read and validate. Sentences name path and reason ("training.lr: low must be
 * > 0 when log"); unknown keys are errors and name the nearest known one. The
 * caller adds the file's name. *out is to be released by spec_fini.
 * Parameters of the space stand in the table's order, not in the text's. An
 * key "$schema" is allowed at the top and ignored (editors use it). An
 * "int" distribution may search a field of real numbers (a grid of whole
 * numbers), a "float" one never a field of whole numbers. */
MUST_CHECK int spec_from_json(const struct json *root, struct spec *out,
                              struct err *err);
MUST_CHECK int spec_parse(const char *text, size_t len, struct spec *out,
                          struct err *err);
/* A canonical config that was written down, maybe by an older build: a setting
 * that it lacks means what was done then (run.h: before). */
MUST_CHECK int spec_parse_stored(const char *text, size_t len, struct spec *out,
                                 struct err *err);
/* What the values of s are called, by a string; INVALID: they cannot be called
 * so, and s is as before. */
MUST_CHECK int spec_read_metric_name(const struct json *node, struct spec *s,
                                     struct err *err);
/* What a study must be beside that when it is made. Not asked of a config that
 * a store holds: studies older than these rules can be there. */
MUST_CHECK int spec_check_new(const struct spec *s, struct err *err);

/* The canonical form: every key present, in the table's order; parses back to
 * an equal spec. Compact JSON. */
void spec_to_json(const struct spec *s, struct buf *out);

/* What a worker needs to know of the objective: {"type": "command", ...}, with
 * the names of all parameters as "params"; and one point by name: {"lr":
 * 0.001}, in the space's order, without those that are not active. */
void spec_work_to_json(const struct spec *s, struct buf *out);
void spec_point_to_json(const struct spec *s, const double *values,
                        struct buf *out);

/* What a study may change while it lives (may_change in the table), as a part
 * of a sentence: "n_trials, workers and stop". */
void spec_changeable(struct buf *out);
/* The path of the first difference between two specs, apart from that, with
 * both values: "training.lr: 0.001 in the study, 0.01 in the config". 0 if
 * equal, 1 if out was written. */
int spec_difference(const struct spec *study, const struct spec *config,
                    struct buf *out);
/* What keeps a living study from getting this config: the same, but choices may
 * be appended, too: what trials have had keeps its index. */
int spec_change_difference(const struct spec *study, const struct spec *config,
                           struct buf *out);
/* What only samplers, pruners and objectives other than the study's look at and
 * is not as by default, one line each: "pruner.patience: pruner 'asha' does not
 * take it, only patient". Returns how many. */
int spec_unused(const struct spec *s, struct buf *out);
/* The other way round: each difference in what a study may change, one line
 * each: "workers: 2 is kept, the config says 4". Returns how many. */
int spec_kept(const struct spec *study, const struct spec *config,
              struct buf *out);

/* The JSON Schema (draft-07) of study configs, for editors, indented. It says
 * less than spec_from_json: nothing of what must fit together.
 * schema/study.schema.json is its output. */
void spec_schema(struct buf *out);

/* Relative paths in data.sources become absolute: base_dir is put before them.
 * hf: and http(s): sources stay. */
void spec_resolve_paths(struct spec *s, const char *base_dir);

#endif
