/* sizes.h - how large the buffers of a session are, known before any is allocated. */
#ifndef ITH_ENGINE_SIZES_H
#define ITH_ENGINE_SIZES_H

#include "engine/engine.h"
#include "model/pass.h"

/* What the workspace of a session must hold. all_by_rows: passes of any length run by rows. */
ith_limits ith_session_limits(const ith_engine *engine, int64_t ctx, int64_t chunk,
                              bool all_by_rows);

/* Of the logits that rank 0 keeps. */
size_t ith_session_logits_floats(const ith_engine *engine);

/* No rank sends or receives more bytes in any exchange of a session with this chunk. */
int64_t ith_session_exchange_most(const ith_engine *engine, int64_t chunk);

/* Bytes that a session with the engine's context and chunk may take on this rank: buffers of
 * passes, the KV cache, and everything. Where several ranks share heads, a rank's cache may
 * differ from this by a segment. */
int64_t ith_session_workspace_bytes(const ith_engine *engine);
int64_t ith_session_kv_bytes(const ith_engine *engine);
int64_t ith_session_bytes(const ith_engine *engine);

#endif
