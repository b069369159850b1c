/* scoring.h - the negative log likelihood of each token of a text, in windows.
 *
 * A text is scored at once, or in windows of so many tokens as llama.cpp's llama-perplexity -c N
 * has them: each window is a timeline of its own, a last one that the text does not fill is left
 * out, and of each the second half counts. All functions are collective, but those that say so.
 */
#ifndef ITH_CLI_SCORING_H
#define ITH_CLI_SCORING_H

#include "cli/corpus.h"
#include "cli/watch.h"

/* --window N of commands that score; where it lies, and what is so without it, they say
 * themselves. */
#define ITH_SCORING_WINDOW                                                                         \
    .name = "window", .kind = ITH_OPTION_TOKENS, .metavar = "N", .min = 4, .max = 1e9,             \
    .help = "score windows of N tokens, one by one",                                               \
    .more = "Only the second half of each window counts, and the first token of each becomes the " \
            "beginning-of-sequence token if the tokenizer puts one before texts: as in "           \
            "llama-perplexity -c N. Windows of --ids stay as they are."

/* ids and nll on rank 0; counts on all ranks. {0} but for the first three. */
typedef struct ith_scoring {
    const ith_cli *cli;
    ith_watch *watch;
    ith_engine *engine; /* the caller's */

    const int32_t *ids;   /* the corpus's; NULL elsewhere */
    ith_session *session; /* of the last window */
    int64_t n_tokens;     /* scored: the text, or its whole windows */
    int64_t window;       /* tokens in each session */
    int64_t first;        /* index in a window's nll from which on it counts */
    float *nll;           /* [n_counted] */
    int64_t n_counted;
    double seconds;
} ith_scoring;

/* Tokenizes the corpus, which rank 0 has read, once: it keeps its ids for further engines of the
 * same model. window: 0: the whole text at once. Then scores it. Needs ith_scoring_close, also
 * after an error.
 * Errors: ITH_E_ARGUMENT: no token, or not one window; ITH_E_CANCELLED after a signal; those of
 * ith_session_score. */
ith_status ith_scoring_run(ith_scoring *s, ith_corpus *corpus, int64_t window, ith_error *err);

/* Rank 0. The mean of what counts; NAN: nothing does. */
double ith_scoring_mean(const ith_scoring *s);

/* Local. Closes the session and frees the scores. */
void ith_scoring_close(ith_scoring *s);

#endif
