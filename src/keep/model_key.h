/* model_key.h - what stands for a model in the names of saved KV data. */
#ifndef ITH_KEEP_MODEL_KEY_H
#define ITH_KEEP_MODEL_KEY_H

#include "ithaca.h"
#include "keep/archive_key.h"

/* Collective. Covers everything that the bits of keys and values depend on, except the tokens.
 * Computes a checksum of every weight tile, once for an engine. */
ith_status ith_model_key(ith_engine *engine, ith_key *key, ith_error *err);

#endif
