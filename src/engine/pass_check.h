/* pass_check.h - what all ranks check together after a pass: inside it nothing can fail. */
#ifndef ITH_ENGINE_PASS_CHECK_H
#define ITH_ENGINE_PASS_CHECK_H

#include "engine/engine.h"
#include "model/pass.h"

/* Collective, after the pass has run and while its spans are what they were. One small message
 * between the ranks, unless something is wrong.
 *
 * ITH_E_IO, ITH_E_FORMAT: on some rank, streamed weights could not be read or, asked only if what
 * the pass computed is `kept` on disk, a file of the model has changed.
 * ITH_E_FORMAT: on some rank the pass met a number that is NaN, infinite, or too large to compute
 * with. It is then run again to find out where that begins, which the text says. */
ith_status ith_engine_check_pass(const ith_engine *engine, const ith_pass *pass, bool kept,
                                 ith_error *err);

/* Collective. Are the files that passes read what they were? ITH_E_FORMAT: one has changed. */
ith_status ith_engine_check_files_on_all(const ith_engine *engine, ith_error *err);

#endif
