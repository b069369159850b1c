/* block.h - what a layer is made of: blocks, each of a kind.
 *
 * A kind (attention, an MLP, a mixture of experts) is one const struct in one file of this folder.
 * It says which tensors a block binds, which buffers a pass needs for it, what ranks send for it,
 * what it costs, and how it runs. Binding, workspace, traffic, costs and the layer loop go over the
 * blocks of a layer and never name a kind. To add one: write its file, and add its line to
 * kinds.inc.
 */
#ifndef ITH_MODEL_BLOCKS_BLOCK_H
#define ITH_MODEL_BLOCKS_BLOCK_H

#include "comm/mesh.h"
#include "model/bind.h"
#include "model/workspace.h"
#include "state/state.h"

struct ith_pass;

/* The kinds, in the order of kinds.inc: ITH_BLOCK_attention, ... */
enum {
#define BLOCK(name) ITH_BLOCK_##name,
#include "model/blocks/kinds.inc"
#undef BLOCK
    ITH_BLOCKS
};

/* What decides how many bytes a token takes on its way between ranks. */
typedef struct ith_wire {
    const ith_hparams *hp;
    ith_kv_layout kv;
    bool quantized; /* matrices are: activations between them travel as int8 groups */
    const ith_mesh *mesh;
} ith_wire;

/* How a block goes through the keys before a token: `tokens` tokens at a time, `group` query heads
 * of each with one KV head, all of head_dim channels. value_dim: of latents (simd/kernels.h); 0:
 * values are as wide as keys. */
typedef struct ith_key_tile {
    int64_t head_dim, value_dim, group, tokens;
} ith_key_tile;

/* Where something is computed: a matrix of a block, and what a token needs of it. */
typedef struct ith_use {
    const ith_matrix *matrix;
    double share; /* of the tokens, those that go through it if all choices are equally likely */
} ith_use;
typedef void (*ith_use_fn)(void *user, const ith_use *use);

typedef struct ith_block_kind {
    /* As the layers of an architecture name it (formats/arch.h). */
    const char *name;

    /* Stages: matrices that are used, and where weights are streamed fetched, together. A block's
     * are numbered from block->first_stage on. */
    int n_stages;

    /* ---- Weights ---- */

    /* Binds the tensors of the binder's layer; block->weights is calloc'd, weight_bytes long. NULL:
     * the block has no weights, nor matrices. */
    size_t weight_bytes;
    ith_status (*bind)(ith_binder *binder, ith_block *block, ith_error *err);

    /* Frees what bind allocated inside block->weights; NULL: nothing. */
    void (*unbind)(ith_block *block);

    /* Calls see() for each matrix. NULL: there is none. */
    void (*each_matrix)(const ith_hparams *hp, const ith_block *block, ith_use_fn see, void *user);

    /* Parameters outside of matrices: norms, biases. NULL: none. */
    int64_t (*n_vector_params)(const ith_hparams *hp, const ith_block *block);

    /* ---- State ---- */

    /* The cache that a timeline holds for such a block of a layer; NULL: none. A layer has one
     * block with a cache at most, and one with a recurrent state. */
    ith_layer_state (*state)(const ith_hparams *hp, int layer);

    /* The recurrent state of such a block (recur.h); NULL: it has none. */
    ith_recurrent_shape (*recurrent)(const ith_hparams *hp);

    /* ---- Workspace ---- */

    /* Raises *needs to what a block wants of the buffers that all share. NULL: nothing. */
    void (*needs)(const ith_work_sizes *sizes, const ith_block *block, ith_work_needs *needs);

    /* Requests the kind's own buffers, one set for all blocks of the kind: *work, zeroed, of
     * work_bytes, is ws->of[kind]. NULL: it has none. */
    size_t work_bytes;
    void (*request)(ith_requests *requests, const ith_work_sizes *sizes, void *work);

    /* ---- Traffic and costs; pure functions ---- */

    /* Bytes that rank wire->mesh->rank sends in such a block of a layer for a pass of n tokens
     * after `depth` others: by tokens (Ulysses), and by rows. NULL: none. */
    int64_t (*sends_by_tokens)(const ith_wire *wire, int layer, int64_t depth, int64_t n);
    int64_t (*sends_by_rows)(const ith_wire *wire, int layer, int64_t n);

    /* No rank sends or receives more bytes in one exchange of such a block for a pass of n tokens.
     * NULL: none. */
    int64_t (*exchange_most)(const ith_wire *wire, int layer, int64_t n);

    /* The slices into which such a block cuts its heads in a pass of n tokens by tokens, so that
     * one travels behind the compute of another, where all exchanges can; `wanted` 0: as many as
     * pay. NULL: one. */
    int (*slices)(const ith_wire *wire, int layer, int64_t n, int wanted);

    /* Operations of a token of a layer for each key before it, and the tiles in which n_threads
     * take a prompt of n tokens through the keys. NULL: none. */
    double (*key_ops)(const ith_hparams *hp, int layer);
    ith_key_tile (*key_tile)(const ith_hparams *hp, const ith_caches *caches, ith_kv_layout kv,
                             int64_t n, int n_threads);

    /* ---- Passes; called only if the model has such a block ---- */

    /* All members, before the first layer; a barrier follows. NULL: nothing to prepare. */
    void (*begin)(struct ith_pass *pass, ith_member *me);

    /* May weights wait until it is known which of them the pass chooses? The same on all ranks.
     * NULL: never. */
    bool (*chooses)(const struct ith_pass *pass);

    /* All members, when x has the output of the last block of the last layer: x becomes what the
     * logits are made of. Ends with a barrier. NULL: it is that. */
    void (*end)(struct ith_pass *pass, ith_member *me);

    /* All ranks that have a token compute all rows of the output: nothing is gathered. */
    bool whole;

    /* All members: ws->h and ws->acts, the normalized input, become ws->y: this rank's rows of the
     * output for its tokens. Ends with a barrier. */
    void (*run)(struct ith_pass *pass, int layer, const ith_block *block, ith_member *me);
} ith_block_kind;

/* [ITH_BLOCKS] */
extern const ith_block_kind *const ith_block_kinds[];

/* NULL: there is none of this name. */
const ith_block_kind *ith_block_kind_find(const char *name);

/* The weights of the block of this kind that the layer has. */
const void *ith_block_weights(const ith_model *model, int layer, int kind);

/* Calls see() for every block of every layer, ascending; for every matrix of every block. */
typedef void (*ith_block_fn)(void *user, int layer, const ith_block *block);
void ith_blocks_each(const ith_model *model, ith_block_fn see, void *user);
void ith_blocks_each_matrix(const ith_model *model, ith_use_fn see, void *user);

/* The tiles of the first kind that goes through keys. */
ith_key_tile ith_blocks_key_tile(const ith_hparams *hp, const ith_caches *caches, ith_kv_layout kv,
                                 int64_t n, int n_threads);

/* The least share of the tokens that goes through any matrix: 1, unless tokens choose. */
double ith_blocks_least_share(const ith_model *model);

/* The most that any block of the model needs of the shared buffers; is there one of the kind? */
ith_work_needs ith_blocks_needs(const ith_work_sizes *sizes);
bool ith_blocks_have(const ith_model *model, int kind);

#endif
