/* workspace.h - the buffers of passes: allocated once for the largest pass, so that nothing is
 * allocated inside one. An engine has one workspace; its sessions' passes use it in turn. */
#ifndef ITH_MODEL_WORKSPACE_H
#define ITH_MODEL_WORKSPACE_H

#include "comm/comm.h"
#include "comm/mesh.h"
#include "model/linear.h"
#include "model/model.h"

/* Up to this many tokens, attention can be shared out by segments, and each can have its logits. */
enum { ITH_DECODE_TOKENS = 16 };

enum { ITH_BLOCKS_MOST = 16 };

/* The largest passes that a workspace serves. */
typedef struct ith_limits {
    int64_t chunk;       /* tokens over all ranks */
    int64_t max_tokens;  /* on any rank */
    int64_t rows_tokens; /* by rows */
    int64_t ctx;         /* tokens of a timeline */
    int64_t logits;      /* tokens with logits */
    int n_threads;
} ith_limits;

/* Each the larger of the two; are all of `a` within those of `b`? */
ith_limits ith_limits_both(const ith_limits *a, const ith_limits *b);
bool ith_limits_within(const ith_limits *a, const ith_limits *b);

/* T tokens on a rank and C over all ranks, A of which a rank attends to: at most. */
typedef struct ith_work_sizes {
    const ith_model *model;
    const ith_mesh *mesh;
    ith_kv_layout kv;
    ith_limits limits;
    int64_t T, C, A;
} ith_work_sizes;

/* What blocks want of the buffers that all share; of all blocks the most counts. */
typedef struct ith_work_needs {
    int64_t input_cols; /* of a token, in h and acts */
    int64_t mid_values; /* of a token, in mid and mid_acts: whole groups */
    int64_t wire_bytes; /* of a token, where there are several ranks */
    int64_t scratch;    /* floats of a thread */
    /* Where ranks send each other lists of parcels: of a rank's longest, sends and receives
     * together. */
    int64_t parcels, parcel_bytes;
} ith_work_needs;

typedef struct ith_workspace {
    int64_t max_tokens, max_chunk; /* T, C */
    ith_limits limits;
    int64_t ld;     /* floats per token of wide buffers: the widest, with room for tiles' edges */
    int64_t ld_y;   /* the same of y */
    float *x;       /* [T][hidden]: the residual stream */
    float *y;       /* [T][ld_y]: a block's output, which the next norm adds to x */
    float *held;    /* [T][hidden], if the model holds some: those that wait for the next one's */
    float *streams; /* [streams][T][hidden]: those beside x (hp.altup) */
    float *h;       /* [T][ld]: input of the next matrix */
    ith_acts acts;  /* of h */
    float *mid;     /* [T][ld] between two matrices of a block, if the second is a float one */
    ith_acts mid_acts; /* the same, quantized */
    float *wire;       /* [T][ld] blocks of bytes that arrive from ranks */
    int64_t *counts;   /* [ITH_FLIGHTS][2][2][ranks]: see ith_workspace_counts */
    float **scratch;   /* [threads] */
    int n_threads;
    float *logits_rows;            /* several ranks: [limits.logits][n_vocab rounded up]: my rows */
    int64_t parcels, parcel_bytes; /* as in ith_work_needs */
    void *of[ITH_BLOCKS_MOST];     /* the buffers of each kind of block; NULL: the model has none */
    void **buffers;                /* all that was allocated */
    size_t n_buffers, room;
} ith_workspace;

/* Byte counts and displacements of one side of an exchange, [ranks] each. */
typedef struct ith_comm_counts {
    int64_t *counts, *displs;
} ith_comm_counts;

/* Side 0 (send) or 1 (receive) of an exchange. */
static inline ith_comm_counts ith_workspace_counts(const ith_workspace *ws, int ranks, int flight,
                                                   int side)
{
    int64_t *at = ws->counts + (int64_t)ranks * 2 * (2 * flight + side);
    return (ith_comm_counts){at, at + ranks};
}

/* Local. ITH_E_MEMORY. */
ith_status ith_workspace_open(const ith_model *model, const ith_mesh *mesh, ith_kv_layout kv,
                              const ith_limits *limits, ith_workspace **ws, ith_error *err);
int64_t ith_workspace_bytes(const ith_model *model, const ith_mesh *mesh, ith_kv_layout kv,
                            const ith_limits *limits);
void ith_workspace_close(ith_workspace *ws); /* accepts NULL */

/* ---- For kinds of blocks: their own buffers ---- */

enum { ITH_WORK_TABLE = 4096 }; /* bytes: the most that work_bytes of a kind may be */

typedef struct ith_requests {
    ith_workspace *ws;
    bool sizing; /* only the bytes are wanted */
    void *table; /* then the kinds' buffers, which nobody reads */
    int64_t bytes;
    ith_status status;
    ith_error *err;
} ith_requests;

/* Memory for `count` elements of `size` bytes, its address to *out, unless an earlier request
 * failed. It belongs to the workspace. */
void ith_request(ith_requests *requests, int64_t count, size_t size, void *out);

/* The same for quantized activations: [tokens][groups] */
void ith_request_acts(ith_requests *requests, int64_t tokens, int64_t groups, ith_acts *acts);

#endif
