/* model_dir: a trained model as a folder that needs nothing else.
 *
 *   config.json        what it is: format, version, the run, its metrics, and
 *                      the SHA-256 of the files below; "activation" is the
 *                      run's by the name that Hugging Face has for it, and
 *                      "columns" are those of the data, where they are known
 *   labels.json        class names, a list; a class's id is its place
 *   tokenizer.json     in Hugging Face's format (tokenizer_json.h)
 *   model.safetensors  the weights under PyTorch's names
 *
 * The folder may be moved. A labels.json that was changed is refused, since in
 * another order it names the wrong classes; who renames classes takes its
 * entry out of config.json's sha256. */
#ifndef CORE_TRAIN_MODEL_DIR_H
#define CORE_TRAIN_MODEL_DIR_H
#include "core/base/err.h"
struct checkpoint;
struct model;

enum { MODEL_DIR_VERSION = 1 };

/* Write the folder, which must not exist yet or be empty (CONFLICT); parents
 * are made. It appears complete under its name or not at all. */
MUST_CHECK int model_dir_write(const struct checkpoint *c, struct model *m,
                               const char *dir, struct err *err);
/* As checkpoint_open of a `best` file, for prediction only. INVALID: no model
 * folder, or of another version; CORRUPT: a file is damaged. */
MUST_CHECK int model_dir_open(const char *dir, int max_batch,
                              struct checkpoint *out, struct model **model,
                              struct err *err);

#endif
