/* writer.h - the answer as rank 0 makes it of chosen tokens: ids and text, up to what ends it.
 *
 * All functions are local, on rank 0.
 */
#ifndef ITH_ENGINE_WRITER_H
#define ITH_ENGINE_WRITER_H

#include "engine/session.h"
#include "grammar/grammar.h"
#include "text/sampler.h"
#include "text/stop.h"
#include "text/stream.h"

typedef struct ith_writer {
    const ith_generate_params *params;
    const ith_vocab *vocab; /* NULL: no tokenizer */
    const ith_hparams *hp;
    ith_keeper *keeper; /* saves the answer's tokens; NULL: none */
    ith_sampler *sampler;
    ith_detok *detok; /* NULL: no tokenizer, so ids only */
    ith_stop *stop;
    ith_follower *follower; /* NULL: no grammar */
    ith_error unmatched;    /* why the grammar could not be followed */
    ith_generation *out;
    size_t room, text_room; /* allocated: ids, and bytes of text */
} ith_writer;

/* params and *out, which begins empty, must outlive the writer. To be closed after a failure too; a
 * zeroed writer can be. */
ith_status ith_writer_open(ith_writer *w, const ith_engine *engine,
                           const ith_generate_params *params, ith_generation *out, ith_error *err);
void ith_writer_close(ith_writer *w);

/* Chooses the next token from logits; ith_writer_token has to take it before the next choice. Any
 * thread may call. A failure is left to that call. */
int32_t ith_writer_choose(ith_writer *w, const float *logits);

/* The n tokens that the answer follows: the sampler sees them. */
void ith_writer_follow(ith_writer *w, const int32_t *ids, size_t n);

/* Would this token end the answer, without being part of it? */
bool ith_writer_ends(const ith_writer *w, int32_t id);

/* Adds a chosen token to the answer. *on false: the answer is finished; out->finish says why. */
ith_status ith_writer_token(ith_writer *w, int32_t id, bool *on, ith_error *err);

/* After the last token: shows what the stream and the stop strings still hold back. */
ith_status ith_writer_rest(ith_writer *w, ith_error *err);

#endif
