/* model.h - a model's weights bound once into named fields, every shape checked.
 *
 * Shapes: hidden = h, query heads nq, KV heads nkv, head size d, MLP width f, vocabulary v; n experts of width f each (experts.h).
 */
#ifndef ITH_MODEL_MODEL_H
#define ITH_MODEL_MODEL_H

#include "base/caches.h"
#include "formats/arch.h"
#include "model/rope.h"
#include "weights/store.h"

/* Of a layer, in a pass's order: each is used, and where weights are streamed fetched, as one (ith_store_enter). */
enum ith_stage { ITH_STAGE_QKV, ITH_STAGE_O, ITH_STAGE_GATE_UP, ITH_STAGE_DOWN };

typedef struct ith_ffn {    /* down(silu(gate x) * up x) */
    const ith_matrix *gate; /* [f, h] */
    const ith_matrix *up;   /* [f, h] */
    const ith_matrix *down; /* [h, f] */
} ith_ffn;

typedef struct ith_layer {
    const float *attn_norm; /* [h] */
    const ith_matrix *q;    /* [nq * d, h] */
    const ith_matrix *k;    /* [nkv * d, h] */
    const ith_matrix *v;    /* [nkv * d, h] */
    const float *q_norm;    /* [d] or NULL */
    const float *k_norm;    /* [d] or NULL */
    const ith_matrix *o;    /* [h, nq * d] */
    const float *ffn_norm;  /* [h] */
    ith_ffn mlp;            /* of layers without experts; with them: */
    const ith_matrix *router; /* [n, h], in the file's own type */
    ith_ffn *experts;         /* [n]; NULL: none */
} ith_layer;

typedef struct ith_model {
    ith_hparams hp;
    const ith_arch *arch;
    const ith_kernels *kernels;
    ith_caches caches; /* of the cores that compute, by which work is cut (blocking.h); who opens the model sets them */
    const ith_matrix *embed;  /* [v, h] */
    const ith_matrix *output; /* [v, h]; the embedding if tied */
    const float *out_norm;    /* [h] */
    ith_layer *layers;        /* [n_layers] */
    ith_rope rope;
    bool quantized;   /* some matrix is w8, w4 or w4m: activations are quantized for it */
    bool floats;      /* some matrix other than a router is bf16 or f32: it takes activations as they are */
    bool exact;       /* matrices are f32 in plain rows, for OpenBLAS */
    ith_store *store; /* what brings the matrices' tiles: set by who loads it */
    float *key_bias;  /* [n_layers][nkv][d] taken off keys before they are quantized, or NULL (key_bias.h) */
} ith_model;

/* Plans all weights, under their Hugging Face names; ith_store_load then fills the fields. `exact`: everything f32. */
ith_status ith_model_open(const ith_source *source, ith_plan *plan, ith_quant quant, bool exact, ith_model **model,
                          ith_error *err);
/* Rotary positions scaled by `text` in place of the model's own scaling and frequency factors; hp.ctx_train follows. See ith_rope_scale. */
ith_status ith_model_scale_rope(ith_model *model, const char *text, ith_error *err);
void ith_model_close(ith_model *model); /* accepts NULL */

int64_t ith_model_n_params(const ith_model *model);

/* Calls see() for each matrix of a layer. share: of tokens, how many go through it, if they go to all experts alike: 1, or used / n. */
typedef void (*ith_use_fn)(void *user, const ith_matrix *matrix, double share);
void ith_layer_each(const ith_model *model, int64_t layer, ith_use_fn see, void *user);

/* Values of a token between gate, up and down, in whole groups: the most of any layer, over all experts that it goes to. */
int64_t ith_model_mid(const ith_model *model);

#endif
