/* model.h - a model: its hyperparameters, and its weights, bound to the fields of its blocks.
 *
 * In the shapes below, h is the hidden size and v the vocabulary. The shapes of a block's weights
 * are in blocks/. All functions are local.
 */
#ifndef ITH_MODEL_MODEL_H
#define ITH_MODEL_MODEL_H

#include "base/caches.h"
#include "formats/arch.h"
#include "model/rope.h"
#include "state/state.h"
#include "weights/store.h"

/* One block of a layer. */
typedef struct ith_block {
    const struct ith_block_kind *kind; /* blocks/block.h */
    int first_stage;                   /* its first of the layer's stages (ith_store_enter) */
    void *weights;                     /* a struct of the kind, filled when the block was bound */
    const float *bias;                 /* [h] added to its output; NULL: none, or not loaded yet */
    float scale;                       /* its output is multiplied by it; 0: it is not */
} ith_block;

/* A norm of the family's kind (arch.h). */
typedef struct ith_norm {
    bool on;        /* there is one: */
    bool plain;     /* w is the model's ones, in no file */
    const float *w; /* [n] */
    const float *b; /* [n]; NULL: none */
} ith_norm;

/* x += residual_scale * post(block(norm(x))). Beside: the block reads what the sub-layer before it
 * reads, or behind a norm of its own the same x, and the outputs of both are added. */
typedef struct ith_sublayer {
    ith_norm norm, post; /* over h channels */
    bool beside;
    bool held;          /* its output, behind post, waits for the next one's: */
    ith_norm both;      /* x += residual_scale * both(what is held + what comes out here) */
    const float *scale; /* [1] x is multiplied by it in the end; NULL: it is not */
    float own_scale;    /* what scale points at, if no file has it */
    bool aside;         /* its output is added to the streams beside x, not to x */
    ith_block block;
} ith_sublayer;

typedef struct ith_layer {
    int n;
    ith_sublayer sub[ITH_MAX_SUBLAYERS];
} ith_layer;

typedef struct ith_model {
    ith_hparams hp;
    const ith_arch *arch;
    bool holds; /* some sub-layers' outputs are held */
    const ith_kernels *kernels;
    /* The caches of the cores that compute, for blocking.h. The caller of ith_model_open sets
     * them. */
    ith_caches caches;
    const ith_matrix *embed;  /* [v, h] */
    const ith_matrix *output; /* [v, h]; the embedding if tied */
    const float *output_bias; /* [v]; NULL: none, or not loaded yet */
    ith_norm out_norm;        /* over h channels */
    float *ones;              /* [h] the weights of norms without weights; NULL: no norm is so */
    ith_layer *layers;        /* [n_layers] */
    ith_layer_state *states;  /* [n_layers] the state that each has in a timeline */
    ith_rope rope;
    ith_rope long_rope;   /* LongRoPE: of timelines that ith_model_is_long; half 0: none */
    ith_rope window_rope; /* of layers with ITH_LAYER_WINDOW_ROPE; half 0: no layer has it */
    /* Some matrix has a quantized layout, so activations must be quantized. */
    bool quantized;
    /* Some matrix is bf16 or f32, so activations are passed on as floats. Matrices from
     * ith_bind_whole_matrix do not count. */
    bool floats;
    /* Matrices are f32 in plain rows, for OpenBLAS. */
    bool exact;
    /* Provides the matrices' tiles. Set after the weights are loaded; not owned. */
    ith_store *store;
    /* [n_layers][ith_hparams_most_kv], of which each layer has [KV heads][head size]: subtracted
     * from keys before they are quantized; NULL: nothing is subtracted. */
    float *key_means;
} ith_model;

/* Adds all weights to the load plan, under their Hugging Face names; ith_store_load then fills the
 * fields. `exact`: everything in f32. `source` and `plan` must outlive the model.
 * ITH_E_UNSUPPORTED: the architecture. ITH_E_FORMAT, ITH_E_MEMORY: see bind.h. */
ith_status ith_model_open(const ith_source *source, ith_load_plan *plan, ith_quant quant,
                          bool exact, ith_model **model, ith_error *err);
void ith_model_close(ith_model *model); /* accepts NULL */

/* Replaces the model's own scaling of rotary positions, including its frequency factors, by `text`,
 * and sets hp.ctx_train accordingly. See ith_rope_scale. */
ith_status ith_model_scale_rope(ith_model *model, const char *text, ith_error *err);

/* LongRoPE: is a timeline of n_tokens longer than the context that the model's first frequencies
 * serve? */
static inline bool ith_model_is_long(const ith_model *model, int64_t n_tokens)
{
    return model->long_rope.half > 0 && n_tokens > model->hp.rope.original_context;
}

/* The number of parameters, including norms and biases. */
int64_t ith_model_n_params(const ith_model *model);

/* The distance, in floats, from one token's logits to the next's: whole tiles of rows. */
static inline int64_t ith_logits_ld(const ith_model *model)
{
    return ith_round_up(model->hp.n_vocab, ITH_TILE_ROWS);
}

#endif
