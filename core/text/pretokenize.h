/* pretokenize: cut a text into GPT-2's pieces: contractions, words and numbers
 * and other signs each with the one space before them, runs of white space.
 *
 * The pieces are the text, nothing lost. Pattern: Radford et al. 2019
 * (encoder.py), with White_Space for \s as in Hugging Face's `tokenizers`.
 * Classes are those of PCRE2's Unicode version (10.42: Unicode 14). */
#ifndef CORE_TEXT_PRETOKENIZE_H
#define CORE_TEXT_PRETOKENIZE_H
#include "core/base/err.h"

/* The compiled pattern and the state of one cutting: one per thread. */
struct pretokenizer;
struct pretokenizer *pretokenizer_new(void);
void pretokenizer_free(struct pretokenizer *p);

/* Begin with this text; borrows it until the last piece was taken. */
void pretokenizer_start(struct pretokenizer *p, struct span text);
/* 1 and the next piece (never empty, points into the text); 0 at the end;
 * INVALID where the text is not UTF-8. What was not asked for is not read,
 * but for a window of a few kB. */
MUST_CHECK int pretokenizer_next(struct pretokenizer *p, struct span *piece,
                                 struct err *err);

#endif
