/* keep_impl.h - what keep.c, keep_read.c and keep_write.c share. */
#ifndef ITH_KEEP_KEEP_IMPL_H
#define ITH_KEEP_KEEP_IMPL_H

#include "engine/engine_impl.h"
#include "keep/archive.h"
#include "keep/checkpoint.h"
#include "keep/keep_writer.h"

struct ith_keep {
    ith_session *session;
    ith_archive *archive;
    ith_keep_writer *writer;
    ith_checkpoint *checkpoint; /* rank 0's; NULL: none */
    bool checkpointed;          /* on all ranks */
    bool own_archive;           /* the archive is the checkpoint's, not a cache's */
    int64_t cache_bytes;
    ith_key root;
    ith_kv_shape shape;
    int first_head; /* of the KV heads whose segments may be here */
    int n_heads;    /* of those */
    ith_warning_fn warn;
    void *user;

    /* Alike on all ranks: */
    bool off;          /* writing has failed: nothing more is written */
    bool active;       /* chunks are written */
    int64_t restored;  /* by all prefills */
    int64_t n_written; /* whole segments of the timeline that need not be written any more */
    ith_key parent;    /* of the one behind them */
    int64_t saved;     /* tokens of the timeline that are written or being written */
    ith_segment part;  /* of a segment, in the last batch; n 0: none */
    ith_segment older; /* one that the last batch contains */

    /* Rank 0's: */
    int64_t n_answer;  /* tokens of the checkpoint's answer that are shown again, before others are added */
    bool answer_begun; /* they are */
    bool answer_lost;  /* it cannot be written */
    ith_error why;     /* of `off`: on all ranks */
};

/* Rank 0 says "FOLDER'S ROLE: text; what follows from it". */
void ith_keep_warn(const ith_keep *keep, const char *text, const char *consequence);

/* Collective. The last batch is on disk; if not, it is warned of and writing is off. */
void ith_keep_settle(ith_keep *keep);

/* The same, and the parts that are contained in others are gone. */
void ith_keep_finish(ith_keep *keep);

#endif
