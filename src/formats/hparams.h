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
    ITH_ROPE_DYNAMIC,
    ITH_ROPE_LONG,
    ITH_ROPE_PROPORTIONAL,
    ITH_ROPE_KINDS
} ith_rope_kind;

/* [ITH_ROPE_KINDS] the spelling of Transformers: "default", "linear", "yarn", "llama3",
 * "dynamic", "longrope", "proportional". */
extern const char *const ith_rope_kind_names[];

enum { ITH_MAX_ROPE_FACTORS = 256 };

typedef struct ith_rope_params {
    ith_rope_kind kind;
    double theta;
    double factor; /* linear, yarn, llama3, proportional; longrope: trained / original context */
    int64_t original_context;    /* yarn, llama3, longrope: original_max_position_embeddings */
    double beta_fast, beta_slow; /* yarn: 32, 1 */
    /* yarn; 0: 0.1 ln(factor) + 1. longrope; 0: sqrt(1 + ln(factor) / ln(original_context)) */
    double attention_factor;
    double mscale, mscale_all_dim;            /* yarn; 0: absent */
    bool truncate;                            /* yarn: correction range in whole dimensions */
    double low_freq_factor, high_freq_factor; /* llama3 */
    double alpha; /* dynamic: the base is theta * alpha^(d / (d - 2)); 0: plain */
    /* The first so many channels of a head are rotated; 0: all. proportional: twice so many of the
     * whole head's pairs, those that rotate fastest, are (arXiv 2503.19786 has the idea: the others
     * carry no position). */
    int64_t rotated;
    /* longrope: divisors of the frequencies, of timelines of up to original_context tokens and of
     * longer ones */
    int n_short, n_long;
    double short_factors[ITH_MAX_ROPE_FACTORS], long_factors[ITH_MAX_ROPE_FACTORS];
} ith_rope_params;

enum {
    ITH_MAX_EOS = 64,
    ITH_MAX_DENSE = 32,
    ITH_MAX_HEAD_DIM = 1 << 12,
    ITH_MAX_EXPERTS_USED = 64,
    ITH_MAX_EXPERT_GROUPS = 64,
    ITH_MAX_LISTED_LAYERS = 1024,
    ITH_MAX_TAPS = 16,
    ITH_MAX_STREAMS = 7
};

typedef enum ith_activation {
    ITH_ACT_SILU,
    ITH_ACT_GELU_TANH, /* x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
    ITH_ACT_RELU2,     /* max(x, 0)^2 */
    ITH_ACT_GELU,      /* x / 2 (1 + erf(x / sqrt(2))) */
    ITH_ACTS
} ith_activation;

/* [ITH_ACTS] the spelling of Transformers: "silu", "gelu_pytorch_tanh", "relu2", "gelu". */
extern const char *const ith_activation_names[];

/* The norm of queries and keys before they meet. */
typedef enum ith_qk_norm {
    ITH_QK_NORM_NONE,
    ITH_QK_NORM_HEAD,  /* over each head, one weight for all: [head_dim] */
    ITH_QK_NORM_HEADS, /* over each head, a weight for each: [heads][head_dim] */
    ITH_QK_NORM_WHOLE, /* over all heads together: [heads * head_dim] */
    ITH_QK_NORMS
} ith_qk_norm;

/* How a layer's attention differs from that of others. */
enum {
    ITH_LAYER_WINDOW = 1,      /* a token sees hp->window keys, itself among them */
    ITH_LAYER_NO_ROPE = 2,     /* positions are not rotated */
    ITH_LAYER_WINDOW_ROPE = 4, /* rotated by hp->window_theta, unscaled */
    ITH_LAYER_RECURRENT = 8,   /* there is none: the family's recurrent block is in its place */
    ITH_LAYER_MLP = 16,        /* nor is there that: the layer is an MLP or experts alone */
    ITH_LAYER_TRAITS = 31
};

typedef enum ith_router_score {
    ITH_ROUTER_SOFTMAX, /* over all experts */
    ITH_ROUTER_SIGMOID,
    ITH_ROUTER_MIXER, /* SparseMixer: two experts, each by softmax over those near it */
    ITH_ROUTER_SCORES
} ith_router_score;

/* How a token's experts are chosen and weighed: model/blocks/experts.h has the formula. Zero says
 * nothing, except that the factor is 1. */
typedef struct ith_router_params {
    ith_router_score score;
    bool bias;        /* on the logits */
    bool choice_bias; /* on the scores while experts are chosen; weights are without it */
    /* Experts are cut into so many groups of equal size, of which the top_groups best take part: a
     * group is as good as the sum of its group_best (1 or 2) best experts. 0 or 1: no groups. */
    int64_t groups, top_groups, group_best;
    bool normalized;   /* divide the weights of a token's experts by their sum */
    double norm_add;   /* plus this, */
    double norm_least; /* but at least by this */
    double factor;     /* of the weights in the end */
    double jitter;     /* ITH_ROUTER_MIXER: twice this relative distance is no longer near */
    /* The router and the experts have a norm each, logits are divided by sqrt(hidden), and the
     * weight of an expert is multiplied by a number of its own. */
    bool apart;
} ith_router_params;

/* A mixture of experts in place of a layer's MLP. */
typedef struct ith_experts_params {
    int64_t n;    /* experts per layer; 0: the model has none */
    int64_t used; /* per token, at most ITH_MAX_EXPERTS_USED */
    int64_t ffn;  /* rows of each expert's gate and up */
    ith_router_params router;
    bool bias;          /* on gate, up and down of each expert */
    int64_t shared_ffn; /* rows of gate and up of the experts that all tokens go to; 0: none */
    bool shared_gated;  /* their output is multiplied by sigmoid(w h) */
    /* Layers step - 1, 2 step - 1, ... have experts (decoder_sparse_step), if they are not less
     * than `first`, are less than `end` (0: any), and are not in dense[n_dense]. */
    int64_t step, first, end;
    int n_dense;
    int32_t dense[ITH_MAX_DENSE];
} ith_experts_params;

enum { ITH_LATENT_TAIL_MOST = 256 }; /* ith_latent_params.rope */

/* Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434). Of what other attention has,
 * n_kv_heads is 1 and head_dim kv_rank + rope: the key that is cached, one for all query heads. */
typedef struct ith_latent_params {
    int64_t kv_rank;           /* channels of the latent; 0: the model has no latent attention */
    int64_t q_rank;            /* of that of queries; 0: they have none */
    int64_t nope, rope, value; /* channels of a head's query that are not rotated, that are; of its
                                  value */
    bool halves; /* rotary pairs are channels i and i + rope / 2, not 2 i and 2 i + 1 */
} ith_latent_params;

/* Gated DeltaNet (arXiv 2412.06464): value heads, of which as many as there are to a key head share
 * its key and query, and short convolutions before. Kimi Delta Attention (arXiv 2510.26692) has one
 * value head to a key head, both of one size. */
typedef struct ith_delta_params {
    int64_t key_heads, value_heads; /* key_heads 0: the model has none */
    int64_t key_dim, value_dim;     /* of a head */
    int64_t taps;                   /* tokens that a convolution reads */
    /* The output matrix has its columns in the order of GGUF's Qwen3.5: the first value head of
     * each key head, then the second of each, and so on. */
    bool tiled;
} ith_delta_params;

/* Mamba2 (arXiv 2405.21060): heads, in groups that share their B and C. */
typedef struct ith_mamba_params {
    int64_t heads, groups;   /* heads 0: the model has none */
    int64_t head_dim, state; /* channels of a head; of B and C */
    int64_t taps;            /* tokens that the convolution reads */
    bool conv_bias;
    bool norm;       /* of the gated output, group by group */
    double dt_least; /* the step of a token is at least so much; 0: no bound */
    /* [1] Of z, x, B, C and dt as they are projected; of the block's output. */
    double scale_z, scale_x, scale_b, scale_c, scale_dt, scale_out;
} ith_mamba_params;

/* The attention of layers without a window, where it is unlike that of the others. */
typedef struct ith_full_params {
    int64_t kv_heads, head_dim; /* 0: as in the others */
    bool keys_are_values;       /* a value is its key's projection, before key norm and positions */
} ith_full_params;

/* Vectors of a token for each layer, beside its embedding (Gemma 3n). */
typedef struct ith_layer_inputs {
    int64_t size;    /* of a layer's; 0: the model has none */
    int64_t n_vocab; /* tokens with vectors of their own; others have those of token 0 */
} ith_layer_inputs;

/* Alternating updates (arXiv 2301.13310): streams beside the residual one, which only that is
 * computed with. Before a layer each takes a mixture of all, after it a share of what the layer has
 * changed. */
typedef struct ith_altup_params {
    int64_t streams; /* beside the residual one; 0: the model has none */
    bool scaled;     /* the gate of a layer's inputs reads the residual stream times a vector */
} ith_altup_params;

/* No cut: gates are as they are (ith_hparams.cuts). */
#define ITH_NO_CUT (-1e6)

/* How the files say that one vector is made of a model's outputs. */
typedef enum ith_pooling {
    ITH_POOLING_UNSAID,
    ITH_POOLING_LAST, /* the output of the last token */
    ITH_POOLING_MEAN,
    ITH_POOLING_FIRST,
    ITH_POOLING_MAX,
    ITH_POOLING_WEIGHTED, /* mean, weighted by position */
    ITH_POOLING_SQRT,     /* sum, divided by the square root of the number of tokens */
    ITH_POOLING_RANK,     /* a classifier of its own */
    ITH_POOLING_MORE      /* with modules behind it, or several at a time */
} ith_pooling;

/* For people. */
extern const char *const ith_pooling_names[];

/* What a file leaves out has the default of its family (arch.h). */
typedef struct ith_hparams {
    char architecture[32]; /* ith_arch's name: "qwen3", "qwen3moe", "llama" */
    char name[128];        /* the model's */
    int64_t n_layers, hidden;
    int64_t ffn; /* rows of gate and up in layers with an MLP */
    int64_t n_heads, n_kv_heads, head_dim, n_vocab;
    ith_experts_params experts;
    int64_t draft_layers; /* that files have behind the n_layers, to guess further tokens; not used,
                           * and not in packs */
    int64_t ctx_train;    /* max_position_embeddings */
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
    ith_pooling pooling;   /* [ITH_POOLING_UNSAID] */

    /* ---- What only some families have. In brackets: the value that says nothing ---- */

    ith_full_params full; /* [zeros] */
    /* [0] The last so many layers have no keys and values: each reads those of the last layer
     * before them that has a window as it does, or none. */
    int64_t shared_kv;
    bool wide_sharers;             /* [false] their MLPs have twice hp->ffn rows */
    ith_layer_inputs layer_inputs; /* [zeros] */
    ith_altup_params altup;        /* [zeros] */
    int64_t laurel_rank; /* [0] of the product beside attention (Gemma 3n's LAuReL); 0: none */
    /* [0] Of each layer, or none: of the MLP's gates g only max(0, g - (mean + cut * standard
     * deviation of all)) counts. */
    int n_cuts;
    double cuts[ITH_MAX_LISTED_LAYERS];
    bool value_norm;  /* [false] value heads are divided by their root mean square */
    bool layer_scale; /* [false] each layer multiplies what it hands on by a number of its own */
    ith_latent_params latent; /* [kv_rank 0] */
    ith_activation act;       /* [SiLU] of the MLP's gate, or of `up` where it has none: not SiLU */
    bool ungated;             /* [false] the MLP is down(act(up x)) */
    ith_qk_norm qk_norm;      /* [none] */
    bool qkv_bias, o_bias;    /* [false] on queries, keys, values; on attention's output */
    bool output_bias;         /* [false] on the logits, before their scale */
    double qkv_limit;         /* [0] queries, keys and values are limited to [-l, l]; 0: are not */
    bool attn_gate;           /* [false] attention's result is multiplied by a gate's sigmoid */
    bool mlp_bias;            /* [false] on all matrices of the MLP */
    bool parallel;            /* [false] attention and MLP read one norm; both are added */
    double embed_scale;       /* [1] multiplies the embeddings */
    double residual_scale;    /* [1] multiplies a block's output before it is added */
    double logit_scale;       /* [1] multiplies the logits */
    double attn_scale;        /* [0] of scores; 0: 1 / sqrt(head_dim) */
    double attn_out_scale;    /* [1] of attention's output; likewise */
    double ffn_gate_scale;    /* [1] of the MLP's gate before its activation; */
    double ffn_out_scale;     /* [1] of its output */
    bool sinks;          /* [false] a number of each query head joins the scores of its softmax */
    double swiglu_limit; /* [0] > 0: gate and up are limited, and joined as the kernel swiglu */
    double swiglu_alpha, swiglu_plus;      /* does it; [0] */
    double attn_softcap;                   /* [0] c: scores s become c tanh(s / c) */
    double logit_softcap;                  /* [0] the same of logits, after their scale */
    double query_beta;                     /* [0] b: queries at position p are multiplied by */
    int64_t query_tokens;                  /* [0] n: 1 + b ln(1 + floor(p / n)) */
    int64_t window;                        /* [0] of layers with ITH_LAYER_WINDOW */
    double window_theta;                   /* [0] of layers with ITH_LAYER_WINDOW_ROPE */
    int n_traits;                          /* [0] n_layers, or 0: no layer has a trait */
    int32_t traits[ITH_MAX_LISTED_LAYERS]; /* ITH_LAYER_... of each layer */
    ith_delta_params delta; /* [zeros] of layers with ITH_LAYER_RECURRENT; likewise */
    ith_mamba_params mamba;
    int64_t conv_taps; /* [0] of LFM2's short convolutions, likewise */
} ith_hparams;

/* Of a layer. */
int32_t ith_hparams_traits(const ith_hparams *hp, int64_t layer);

/* Has a file's list of n values one for each layer, the draft layers behind them included? */
static inline bool ith_hparams_lists_layers(const ith_hparams *hp, uint64_t n)
{
    return n == (uint64_t)(hp->n_layers + hp->draft_layers);
}

/* The KV heads of a layer's attention, and the size of its heads. */
int64_t ith_hparams_kv_heads(const ith_hparams *hp, int64_t layer);
int64_t ith_hparams_head_dim(const ith_hparams *hp, int64_t layer);

/* The layer whose keys and values a layer reads: itself, if it has its own; -1: there is none. */
int64_t ith_hparams_kv_from(const ith_hparams *hp, int64_t layer);

/* Rows of gate and up in a layer's MLP. */
int64_t ith_hparams_ffn(const ith_hparams *hp, int64_t layer);

/* The cut of a layer's gates. */
static inline double ith_hparams_cut(const ith_hparams *hp, int64_t layer)
{
    return layer < hp->n_cuts ? hp->cuts[layer] : ITH_NO_CUT;
}

/* The most channels that the KV heads of a layer have. */
int64_t ith_hparams_most_kv(const ith_hparams *hp);

/* The size of heads that hp->rope is for: of layers without a window. */
int64_t ith_hparams_rope_dim(const ith_hparams *hp);

/* The largest number that divides the KV heads of all layers: so many groups of ranks can share
 * them. */
int64_t ith_hparams_shared_heads(const ith_hparams *hp);

/* The channels of a head that are rotated. */
int64_t ith_hparams_rotated(const ith_hparams *hp);

/* What longrope extends the context by, if a file does not say it. */
static inline double ith_rope_long_factor(int64_t ctx_train, int64_t original_context)
{
    double factor = (double)ctx_train / (double)original_context;
    return factor > 1 ? factor : 1;
}

/* Does the layer have experts, not an MLP? */
bool ith_hparams_has_experts(const ith_hparams *hp, int64_t layer);

/* ---- For readers ---- */

/* Zero, except where zero is not neutral: no bos, plain RoPE with base 10000, epsilon 1e-6, the
 * defaults of YaRN and of sampling. */
ith_hparams ith_hparams_default(void);

/* Removes traits, a window and a second RoPE base that no layer has. */
void ith_hparams_settle(ith_hparams *hp);

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
