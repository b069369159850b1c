/* sizes.h - the sizes of a session's buffers, computed before any is allocated. All functions are
 * local. */
#ifndef ITH_ENGINE_SIZES_H
#define ITH_ENGINE_SIZES_H

#include "engine/engine.h"
#include "model/pass.h"

/* What the workspace of a session must hold. all_by_rows: passes of any length run by rows. */
ith_limits ith_session_limits(const ith_engine *engine, int64_t ctx, int64_t chunk,
                              bool all_by_rows);

/* The state of a session. back: passes have, and cuts take back, up to so many tokens. */
ith_state_params ith_session_state(const ith_engine *engine, int64_t ctx, int64_t back);

/* Elements of the logits buffer on rank 0. */
size_t ith_session_logits_floats(const ith_engine *engine);

/* The most bytes that a rank sends or receives in an exchange of a session with this chunk. */
int64_t ith_session_exchange_most(const ith_engine *engine, int64_t chunk);

/* Bytes that a session with the engine's context and chunk may take on this rank: the workspace,
 * the KV cache, the recurrent states, and the total. If several ranks share heads, a rank's cache
 * may differ from this by one segment. */
int64_t ith_session_workspace_bytes(const ith_engine *engine);
int64_t ith_session_kv_bytes(const ith_engine *engine);
int64_t ith_session_state_bytes(const ith_engine *engine);
int64_t ith_session_bytes(const ith_engine *engine);

#endif
