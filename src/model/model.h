/* model.h - a model: its hyperparameters, and its weights bound once to the fields of its blocks.
 *
 * Shapes: hidden h, vocabulary v. Those of a block stand beside its fields (blocks/).
 */
#ifndef ITH_MODEL_MODEL_H
#define ITH_MODEL_MODEL_H

#include "base/caches.h"
#include "formats/arch.h"
#include "model/rope.h"
#include "state/state.h"
#include "weights/store.h"

/* One block of a layer: what its kind (blocks/block.h) bound for it. */
typedef struct ith_block {
    const struct ith_block_kind *kind;
    int first_stage; /* of the layer's stages (ith_store_enter), the block's first */
    void *weights;   /* the kind's own struct */
} ith_block;

/* x += block(norm(x)) */
typedef struct ith_sublayer {
    const float *norm; /* [h] */
    ith_block block;
} ith_sublayer;

typedef struct ith_layer {
    int n;
    ith_sublayer sub[ITH_MAX_SUBLAYERS];
} ith_layer;

typedef struct ith_model {
    ith_hparams hp;
    const ith_arch *arch;
    const ith_kernels *kernels;
    /* Of the cores that compute, by which work is cut (blocking.h); set by who opens the model. */
    ith_caches caches;
    const ith_matrix *embed;  /* [v, h] */
    const ith_matrix *output; /* [v, h]; the embedding if tied */
    const float *out_norm;    /* [h] */
    ith_layer *layers;        /* [n_layers] */
    ith_layer_state *states;  /* [n_layers] what a timeline holds for each */
    ith_rope rope;
    /* Some matrix is w8, w4 or w4m: activations are quantized for it. */
    bool quantized;
    /* Some matrix that not every node holds whole is bf16 or f32: it takes activations as floats. */
    bool floats;
    /* Matrices are f32 in plain rows, for OpenBLAS. */
    bool exact;
    /* What brings the matrices' tiles: set by who loads it. */
    ith_store *store;
    /* [n_layers][KV heads][head size] taken off keys before they are quantized, or NULL. */
    float *key_means;
} ith_model;

/* Plans all weights, under their Hugging Face names; ith_store_load then fills the fields. `exact`:
 * everything f32. `source` and `plan` must outlive the model. ITH_E_UNSUPPORTED: an architecture
 * that is not known; ITH_E_FORMAT, ITH_E_MEMORY: see bind.h. */
ith_status ith_model_open(const ith_source *source, ith_plan *plan, ith_quant quant, bool exact,
                          ith_model **model, ith_error *err);
void ith_model_close(ith_model *model); /* accepts NULL */

/* Rotary positions scaled by `text` in place of the model's own scaling and frequency factors;
 * hp.ctx_train follows. See ith_rope_scale. */
ith_status ith_model_scale_rope(ith_model *model, const char *text, ith_error *err);

/* All parameters, norms and biases too. */
int64_t ith_model_n_params(const ith_model *model);

/* Floats from one token's logits to the next: whole tiles of rows. */
static inline int64_t ith_logits_ld(const ith_model *model)
{
    return ith_round_up(model->hp.n_vocab, ITH_TILE_ROWS);
}

#endif
