/* hparams.h - a model's hyperparameters, whatever kind of file they were read from. */
#ifndef ITH_FORMATS_HPARAMS_H
#define ITH_FORMATS_HPARAMS_H

#include "base/error.h"

/* Readers accept sizes up to this, which is more than any field allows; ith_hparams_check has the
 * bound of each field. */
#define ITH_SIZE_LIMIT (INT64_C(1) << 40)

/* The largest context, whether a file, --ctx or RoPE scaling asks for it. */
#define ITH_MAX_CONTEXT (INT64_C(1) << 27)

typedef enum ith_rope_kind {
    ITH_ROPE_PLAIN,
    ITH_ROPE_LINEAR,
    ITH_ROPE_YARN,
    ITH_ROPE_LLAMA3,
    ITH_ROPE_KINDS
} ith_rope_kind;

/* [ITH_ROPE_KINDS] the spelling of Transformers: "default", "linear", "yarn", "llama3". */
extern const char *const ith_rope_kind_names[];

typedef struct ith_rope_params {
    ith_rope_kind kind;
    double theta;
    double factor;                            /* linear, yarn, llama3 */
    int64_t original_context;                 /* yarn, llama3: original_max_position_embeddings */
    double beta_fast, beta_slow;              /* yarn: 32, 1 */
    double attention_factor;                  /* yarn; 0: 0.1 ln(factor) + 1 */
    double mscale, mscale_all_dim;            /* yarn; 0: absent */
    bool truncate;                            /* yarn: correction range in whole dimensions */
    double low_freq_factor, high_freq_factor; /* llama3 */
} ith_rope_params;

enum { ITH_MAX_EOS = 64, ITH_MAX_DENSE = 32, ITH_MAX_EXPERTS_USED = 64 };

/* A mixture of experts in place of a layer's MLP. */
typedef struct ith_experts_params {
    int64_t n;       /* experts per layer; 0: the model has none */
    int64_t used;    /* per token, at most ITH_MAX_EXPERTS_USED */
    int64_t ffn;     /* rows of each expert's gate and up */
    bool normalized; /* divide the weights of a token's experts by their sum (norm_topk_prob) */
    /* Layers step - 1, 2 step - 1, ... have experts (decoder_sparse_step), except for those in
     * dense[n_dense] (mlp_only_layers). */
    int64_t step;
    int n_dense;
    int32_t dense[ITH_MAX_DENSE];
} ith_experts_params;

/* What a file leaves out has the default of its family (arch.h). */
typedef struct ith_hparams {
    char architecture[32]; /* ith_arch's name: "qwen3", "qwen3moe", "llama" */
    char name[128];        /* the model's */
    int64_t n_layers, hidden;
    int64_t ffn; /* rows of gate and up in layers with an MLP */
    int64_t n_heads, n_kv_heads, head_dim, n_vocab;
    ith_experts_params experts;
    int64_t ctx_train; /* max_position_embeddings */
    double rms_eps;
    ith_rope_params rope;
    bool tied_embeddings;
    int32_t eos[ITH_MAX_EOS]; /* [n_eos] tokens that end an answer */
    int n_eos;
    int32_t bos; /* -1: none */
    /* The model's own sampling (generation_config.json); has_sampling false: greedy. The penalty
     * counts in both cases. */
    bool has_sampling;
    double temperature, top_p, min_p, repetition_penalty;
    int top_k;
    int repetition_window; /* tokens that the penalty looks back; ITH_REPEAT_ALL: all */
} ith_hparams;

/* Does the layer have experts, not an MLP? */
bool ith_hparams_has_experts(const ith_hparams *hp, int64_t layer);

/* ---- For readers ---- */

/* Zero, except where zero is not neutral: no bos, plain RoPE with base 10000, epsilon 1e-6, the
 * defaults of YaRN and of sampling. */
ith_hparams ith_hparams_default(void);

/* With YaRN the context is at least factor * original_context, whatever the file says. */
void ith_hparams_extend_context(ith_hparams *hp);

/* Are the numbers finite, in range and consistent (heads divide evenly, head_dim is even, ...)? Are
 * the sizes that are made of them far from overflow? ITH_E_FORMAT names `where`. */
ith_status ith_hparams_check(const ith_hparams *hp, const char *where, ith_error *err);

/* The same for sampling. */
ith_status ith_hparams_check_sampling(const ith_hparams *hp, const char *where, ith_error *err);

/* Adds a token that ends answers. Ignored: a token that is there already, and one that is no token
 * id. ITH_E_UNSUPPORTED, naming `where`: more than ITH_MAX_EOS. */
ith_status ith_hparams_add_eos(ith_hparams *hp, int64_t id, const char *where, ith_error *err);

#endif
