/* arch.h - a model family: all that Ithaca knows of it, in one const struct.
 *
 * arch_<name>.c defines the struct: how files of both formats name the family, its tensors and its
 * settings. architectures.inc lists the families. Everybody else follows the struct and names no
 * family, so to add one, write its file and add its line.
 *
 *   Tensors    have a role; most families share the names in arch_common.c.
 *   Settings   hf_config.c and gguf_hparams.c read what all families have and refuse settings that
 *              would change the arithmetic. A family can take over keys, to support a setting that
 *              is otherwise refused or to read one in its own way: it lists them in config_keys or
 *              gguf_keys and reads them in its hook, which runs after the common reader.
 *   Packs      store what all families have. A family lists its own hyperparameters in `fields`.
 *   Layers     are lists of blocks, each of a kind (model/blocks/block.h), with norms before or
 *              after it.
 *   Traits     of attention, MLP and scales are hyperparameters (the end of hparams.h): a
 *              family states its own in `traits`, and names the keys that change them in `keys`.
 */
#ifndef ITH_FORMATS_ARCH_H
#define ITH_FORMATS_ARCH_H

#include "base/json.h"
#include "formats/hparams.h"

struct ith_gguf_meta;
struct ith_hparams_field;
struct ith_tensor_table;

/* What a tensor is for. */
typedef enum ith_role {
    ITH_ROLE_NONE,
    ITH_ROLE_EMBED,
    ITH_ROLE_OUT_NORM,
    ITH_ROLE_OUT_NORM_BIAS,
    ITH_ROLE_OUTPUT,
    ITH_ROLE_OUTPUT_BIAS,
    ITH_ROLE_INPUTS_EMBED,  /* hp->layer_inputs: of each token those of all layers; */
    ITH_ROLE_INPUTS_PROJ,   /* what its embedding adds to them, [layers * size, hidden], */
    ITH_ROLE_INPUTS_NORM,   /* behind this norm of each layer's */
    ITH_ROLE_STREAM_BEGIN,  /* hp->altup: a stream of the embedding, its number in the name; */
    ITH_ROLE_STREAM_END,    /* what it adds in the end; */
    ITH_ROLE_STREAMS_BEGIN, /* those of all streams in one tensor */
    ITH_ROLE_STREAMS_END,
    ITH_ROLE_ATTN_NORM, /* from here on: one per layer, %d in the name */
    ITH_ROLE_ATTN_NORM_BIAS,
    ITH_ROLE_Q,
    ITH_ROLE_K,
    ITH_ROLE_V,
    ITH_ROLE_O,
    ITH_ROLE_QKV, /* rows of q, of k, of v */
    ITH_ROLE_Q_BIAS,
    ITH_ROLE_K_BIAS,
    ITH_ROLE_V_BIAS,
    ITH_ROLE_QKV_BIAS, /* of q, of k, of v */
    ITH_ROLE_O_BIAS,
    ITH_ROLE_Q_NORM,
    ITH_ROLE_K_NORM,
    ITH_ROLE_Q_GATE,      /* of attention's output; in files rows of q, of the gate, head by head */
    ITH_ROLE_Q_HEAD_NORM, /* one per head of a layer, another %d in the name */
    ITH_ROLE_K_HEAD_NORM,
    ITH_ROLE_Q_A, /* of latent attention (hparams.h, ith_latent_params): queries in two steps, */
    ITH_ROLE_Q_A_NORM,
    ITH_ROLE_Q_B,
    ITH_ROLE_KV_A, /* rows of the latent, of the rotated key, */
    ITH_ROLE_KV_A_NORM,
    ITH_ROLE_KV_B,  /* for each head rows of its key, of its value; or two tensors instead: */
    ITH_ROLE_K_B,   /* [heads][latent][key], */
    ITH_ROLE_V_B,   /* [heads][value][latent] */
    ITH_ROLE_SINKS, /* [query heads]: hp->sinks */
    ITH_ROLE_ATTN_POST_NORM, /* of attention's output */
    ITH_ROLE_LAYER_SCALE,    /* [1]: hp->layer_scale */
    ITH_ROLE_FFN_NORM,
    ITH_ROLE_FFN_NORM_BIAS,
    ITH_ROLE_FFN_POST_NORM, /* of the MLP's output */
    ITH_ROLE_MLP_POST_NORM, /* the same of an MLP whose output is held (ith_sublayer_form) */
    ITH_ROLE_GATE,
    ITH_ROLE_UP,
    ITH_ROLE_GATE_UP, /* rows of gate, of up */
    ITH_ROLE_DOWN,
    ITH_ROLE_GATE_BIAS,
    ITH_ROLE_UP_BIAS,
    ITH_ROLE_DOWN_BIAS,
    ITH_ROLE_STREAM_NORM, /* of what the router of streams reads; */
    ITH_ROLE_STREAM_ROUTER,
    ITH_ROLE_STREAM_PREDICT, /* [to and from][streams] the mixture before a layer; */
    ITH_ROLE_STREAM_CORRECT, /* [to][streams] the shares after it */
    ITH_ROLE_STREAM_SCALE,   /* [hidden] */
    ITH_ROLE_LAUREL_LEFT,
    ITH_ROLE_LAUREL_RIGHT,
    ITH_ROLE_LAUREL_NORM,
    ITH_ROLE_INPUT_GATE, /* of a layer's inputs; */
    ITH_ROLE_INPUT_DOWN,
    ITH_ROLE_INPUT_POST_NORM, /* of what comes of them */
    ITH_ROLE_REC_Q,           /* from here on: of a recurrent block */
    ITH_ROLE_REC_K,
    ITH_ROLE_REC_V,
    ITH_ROLE_REC_Z,     /* the gate of its output */
    ITH_ROLE_REC_QKV,   /* rows of q, of k, of v */
    ITH_ROLE_REC_QKVZ,  /* of each key head rows of q, of k, of its value heads' v, of their z */
    ITH_ROLE_REC_A,     /* the decay of a token; */
    ITH_ROLE_REC_A_LOW, /* of low rank: A and Z read the output of these */
    ITH_ROLE_REC_Z_LOW,
    ITH_ROLE_REC_B,       /* how much of what it says is taken in */
    ITH_ROLE_REC_BA,      /* of each key head rows of its value heads' b, of their a */
    ITH_ROLE_REC_CONV,    /* of q, k and v: [channels][1][taps] or [channels][taps] */
    ITH_ROLE_REC_CONV_QK, /* the same apart, [taps][channels] (in packs) */
    ITH_ROLE_REC_CONV_V,
    ITH_ROLE_REC_CONV_Q, /* the same in a tensor each */
    ITH_ROLE_REC_CONV_K,
    ITH_ROLE_REC_CONV_BIAS,
    ITH_ROLE_REC_DECAY, /* A_log; in GGUF files -exp(A_log) */
    ITH_ROLE_REC_DT_BIAS,
    ITH_ROLE_REC_SKIP, /* what of its input is added to its output */
    ITH_ROLE_REC_NORM,
    ITH_ROLE_REC_OUT,
    ITH_ROLE_ROUTER,
    ITH_ROLE_ROUTER_NORM, /* hp->experts.router.apart: of what the router reads; */
    ITH_ROLE_EXPERTS_NORM,
    ITH_ROLE_EXPERTS_POST_NORM,
    ITH_ROLE_EXPERT_SCALES, /* [experts] */
    ITH_ROLE_ROUTER_BIAS,
    ITH_ROLE_CHOICE_BIAS, /* on the scores of experts, while they are chosen */
    ITH_ROLE_EXPERT_GATE, /* one per expert of a layer, another %d in the name */
    ITH_ROLE_EXPERT_UP,
    ITH_ROLE_EXPERT_DOWN,
    ITH_ROLE_EXPERTS_GATE, /* all experts of a layer: [experts][rows][cols], in the same order */
    ITH_ROLE_EXPERTS_UP,
    ITH_ROLE_EXPERTS_DOWN,
    ITH_ROLE_EXPERTS_GATE_UP,   /* of each expert gate's rows, then up's: [experts][2 rows][cols] */
    ITH_ROLE_EXPERTS_GATE_BIAS, /* [experts][rows] */
    ITH_ROLE_EXPERTS_UP_BIAS,
    ITH_ROLE_EXPERTS_GATE_UP_BIAS, /* of each expert in the order of its matrix */
    ITH_ROLE_EXPERTS_DOWN_BIAS,
    ITH_ROLE_SHARED_GATE, /* of the experts that all tokens go to, as one MLP */
    ITH_ROLE_SHARED_UP,
    ITH_ROLE_SHARED_GATE_UP,
    ITH_ROLE_SHARED_DOWN,
    ITH_ROLE_SHARED_WEIGHT, /* [1, hidden]: sigmoid of its product multiplies their output */
    ITH_ROLES
} ith_role;

/* How a config.json says that it is of the family. */
typedef struct ith_hf_class {
    const char *model_type; /* its "model_type" */
    const char *name;       /* the first of its "architectures" */
} ith_hf_class;

/* The defaults of the family's class in Transformers. */
typedef struct ith_arch_defaults {
    int64_t n_vocab, n_heads, ffn; /* 0: the file must say */
    int64_t n_kv_heads;            /* 0: as many as query heads */
    int64_t head_dim;              /* 0: hidden / heads */
    int64_t ctx;                   /* max_position_embeddings */
    double rms_eps, rope_theta;
    double rotated;       /* partial_rotary_factor; 0: 1 */
    int64_t window;       /* sliding_window; 0: null */
    int64_t window_first; /* max_window_layers */
    int64_t original_ctx; /* original_max_position_embeddings beside RoPE's own object; 0: none */
    const char *rope;     /* rope_parameters, as JSON; NULL: plain */
    bool tied_embeddings;
    bool sliding_window; /* a sliding_window counts although use_sliding_window is absent */
    int32_t bos, eos;    /* -1: none */
} ith_arch_defaults;

/* Likewise, of the "text_config" of models of images and text, which may leave these out; 0: it
 * must say them. */
typedef struct ith_text_defaults {
    int64_t n_layers, hidden, ffn, n_heads, n_vocab;
} ith_text_defaults;

/* What a layer is made of: sub-layers, each x += residual_scale * post(block(norm(x))). */
enum { ITH_MAX_SUBLAYERS = 6 };

typedef struct ith_sublayer_form {
    ith_role norm;     /* the tensor of the norm before the block; ITH_ROLE_NONE: it reads x */
    const char *block; /* the kind of its block (model/blocks/kinds.inc) */
    ith_role post;     /* the norm of the block's output; ITH_ROLE_NONE: none */
    /* The block reads what the one before it reads, or behind a norm of its own x as that found it;
     * post does not count. */
    bool beside;
    /* What comes out waits for the next one's: the sum of both, behind their norms, is normed by
     * that one's `both` and added. */
    bool held;
    ith_role both;
    bool aside;  /* it is added to the streams beside x, not to x */
    float scale; /* x is multiplied by it in the end; 0: it is not */
} ith_sublayer_form;

typedef struct ith_layer_form {
    int n;
    ith_sublayer_form sub[ITH_MAX_SUBLAYERS];
} ith_layer_form;

typedef enum ith_norm_kind {
    ITH_NORM_RMS,
    ITH_NORM_LAYER /* LayerNorm: the mean is subtracted first */
} ith_norm_kind;

/* A name that differs from that in a family's table; pattern NULL: there is no such tensor. */
typedef struct ith_own_name {
    ith_role role; /* ITH_ROLE_NONE ends a list */
    const char *pattern;
} ith_own_name;

/* A key of both formats whose value is a member of ith_hparams. */
typedef struct ith_arch_key {
    const char *config, *gguf; /* without "<name>."; NULL: the format has none */
    enum { ITH_KEY_REAL, ITH_KEY_INT, ITH_KEY_BOOL, ITH_KEY_ACTIVATION } kind;
    size_t at; /* in ith_hparams */
} ith_arch_key;

/* Where layers have windows, if config.json has no layer_types. */
typedef enum ith_window_rule {
    ITH_WINDOWS_NONE,  /* a window is refused */
    ITH_WINDOWS_ALL,   /* "sliding_window" counts in all layers */
    ITH_WINDOWS_FROM,  /* it counts in layers from "max_window_layers" on */
    ITH_WINDOWS_ASKED, /* with "use_sliding_window", in layers from "max_window_layers" on */
    ITH_WINDOWS_EVEN,  /* likewise, in layers 0, 2, ... before "max_window_layers" */
    ITH_WINDOWS_STEPS  /* in all but the last of every window_step layers */
} ith_window_rule;

typedef struct ith_arch {
    /* general.architecture of GGUF files; "architecture" of packs. */
    const char *name;

    /* ---- Layers ---- */

    /* What layer i is made of. */
    ith_layer_form (*layer)(const ith_hparams *hp, int64_t i);

    /* ---- Tensors ---- */

    /* [ITH_ROLES] printf patterns; NULL: files of the format have no such tensor. Use
     * ith_arch_pattern, which knows the family's own names. */
    const char *const *hf_names;
    const char *const *gguf_names;
    const ith_own_name *hf_own, *gguf_own; /* NULL: none */

    /* Biases on queries, keys and values; with may_bias_qkv, unless the file has none. */
    bool qkv_bias;

    /* The norm of query and key heads. */
    ith_qk_norm qk_norm;
    bool qk_norm_after_rope;

    /* A norm whose role has no name divides only: it has no weights. */
    ith_norm_kind norm;
    bool norm_bias; /* LayerNorm has biases (those over heads have none) */

    /* In config.json's files, matrices that hold all experts of a layer are transposed if they are
     * floats, [experts][cols][rows], and rows of gate and up take turns in those that hold both. */
    bool hf_experts_turned, hf_gate_up_in_turn;

    /* Rows of q, k and v in one tensor take turns head by head in config.json's files. */
    bool hf_qkv_in_turn;

    /* Some files have them transposed, [experts][cols][rows], and some not: their shapes tell. */
    bool hf_experts_either;

    /* config.json's files store the weights of norms minus 1; GGUF files do not. */
    bool hf_norms_minus_1;

    /* Rotary pairs are adjacent channels, 2 i and 2 i + 1, in files of both formats. (Ithaca orders
     * the rows of q and k so that they are i and i + half.) */
    bool rope_pairs;

    /* GGUF files store rows of q and k for interleaved rotary pairs (gguf.h). */
    bool gguf_interleaved_qk;

    /* What else the family has, before any file is read: sets members of *hp. NULL: nothing. */
    void (*traits)(ith_hparams *hp);

    /* Keys that both readers take; ends with {0}. NULL: none. */
    const ith_arch_key *keys;

    /* ---- config.json ---- */

    const ith_hf_class *hf_classes; /* ends with {NULL} */

    /* Classes of models of images and text whose "text_config" may be of this family: only the text
     * is read, and tensors of images are passed over (tensor_table.h). Ends with {NULL}; NULL:
     * none. */
    const ith_hf_class *hf_wrappers;
    ith_text_defaults text;
    ith_arch_defaults defaults;
    ith_window_rule windows;
    /* With ITH_WINDOWS_ALL: the model_type whose class reads layer_types; the others have the
     * window in all layers, whatever they say. */
    const char *typed;
    int64_t window_step;       /* ITH_WINDOWS_STEPS; "sliding_window_pattern" overrides it, */
    bool window_step_of_class; /* unless the class does not read that key */

    /* "attention_bias" counts: biases on queries, keys and values (and, with `o` too, on the
     * output); "mlp_bias" likewise. Elsewhere they may not be true. */
    bool may_bias_qkv, may_bias_o, may_bias_mlp;

    bool partial_rotary;    /* "partial_rotary_factor" may be less than 1 */
    bool rope_proportional; /* "rope_type" may be "proportional" */
    bool rope_alpha;        /* "dynamic" may have an "alpha", which its class reads */
    bool rope_yarn_is_long; /* "yarn" with the divisors of LongRoPE is that */
    bool window_rope;       /* window layers rotate by hp->window_theta (0: rope.theta), unscaled */
    /* "layer_types" may be "linear_attention": layers with the family's recurrent block. */
    bool recurrent;
    bool lone_mlps;     /* layers may be an MLP or experts alone (ITH_LAYER_MLP) */
    bool recurrent_act; /* these have an activation of their own, which read_config checks */

    bool full_no_rope; /* if there is a window, layers without it do not rotate */

    /* Keys that read_config reads: the common reader neither reads, requires nor refuses them.
     * Ends with NULL; NULL: none. */
    const char *const *config_keys;

    /* Called when *hp has what all families share. `where` is the file's path, for messages;
     * hf_config.h has helpers. NULL: nothing more to read. */
    ith_status (*read_config)(const json_t *config, const char *where, ith_hparams *hp,
                              ith_error *err);

    /* ---- GGUF metadata; keys without "<name>." ---- */

    /* Keys that read_gguf reads, as config_keys. Keys that nobody knows are refused. */
    const char *const *gguf_keys;
    ith_status (*read_gguf)(const struct ith_gguf_meta *meta,
                            const struct ith_tensor_table *tensors, ith_hparams *hp,
                            ith_error *err);

    /* ---- Packs ---- */

    /* The members of ith_hparams that not all families have (hparams_json.h). Ends with {NULL};
     * NULL: none. */
    const struct ith_hparams_field *fields;
} ith_arch;

/* Attention, then an MLP: the layers of most families. */
ith_layer_form ith_layer_of_attention_and_mlp(const ith_hparams *hp, int64_t i);

/* Attention, then experts, with shared ones beside them if there are any, or in layers without
 * experts an MLP. */
ith_layer_form ith_layer_of_attention_and_experts(const ith_hparams *hp, int64_t i);

/* The first with a norm before and after each of the two. */
ith_layer_form ith_layer_of_sandwich(const ith_hparams *hp, int64_t i);

/* The same with the norm after each, none before. */
ith_layer_form ith_layer_of_post_norms(const ith_hparams *hp, int64_t i);

/* Attention and an MLP side by side, behind one norm. */
ith_layer_form ith_layer_of_parallel(const ith_hparams *hp, int64_t i);

/* The names that most families use. */
extern const char *const ith_names_hf[ITH_ROLES];
extern const char *const ith_names_gguf[ITH_ROLES];

/* hf_own of families whose norms come after blocks, or before and after: post_attention_layernorm
 * then comes after attention, not before the MLP. */
extern const ith_own_name ith_names_hf_of_post_norms[];
extern const ith_own_name ith_names_hf_of_sandwich[];

/* gguf_own of families whose q, k and v are one matrix, and whose gate and up are another. */
extern const ith_own_name ith_names_gguf_of_fused[];

/* ---- For readers ---- */

/* ith_hparams_default with what the family states. */
ith_hparams ith_arch_hparams(const ith_arch *arch);

/* The pattern of a role's name, NULL if files of the format have no such tensor. */
const char *ith_arch_pattern(const ith_arch *arch, bool gguf, ith_role role);

/* When all is read: what follows from layers' windows and from the family; a family without windows
 * in its files keeps none. ITH_E_UNSUPPORTED, naming `where`: as ith_arch_set_pattern. */
ith_status ith_arch_settle(const ith_arch *arch, const char *where, ith_hparams *hp,
                           ith_error *err);

/* Gives every step-th layer, the last of each `step`, the traits `last`, and others `others`.
 * ITH_E_UNSUPPORTED, naming `where`: more than ITH_MAX_LISTED_LAYERS layers. */
ith_status ith_arch_set_pattern(ith_hparams *hp, int64_t step, int32_t last, int32_t others,
                                const char *where, ith_error *err);

#define ITH_ARCH(name) extern const ith_arch ith_arch_##name;
#include "formats/architectures.inc"
#undef ITH_ARCH

/* NULL if there is none of this name. */
const ith_arch *ith_arch_find(const char *name);

/* The family of a config.json's model_type, and the name of the class that it must have. NULL if
 * there is none. */
const ith_arch *ith_arch_find_hf(const char *model_type, const char **class_name);

/* ITH_E_UNSUPPORTED: `where` (a file) is of family `found`. The message lists the known ones. */
ith_status ith_arch_unknown(const char *where, const char *found, ith_error *err);

/* Does one of arch->keys have this name in the format? */
bool ith_arch_has_key(const ith_arch *arch, bool gguf, const char *key);

/* Is `key` in a list such as config_keys? */
bool ith_arch_takes(const char *const *keys, const char *key);

enum { ITH_TENSOR_NAME = 128 /* bytes of a tensor's name, its NUL included */ };

/* Tensors that files hold beside a family's and that say nothing that the hyperparameters do not:
 * rotary frequencies and masks that older programs saved, in both formats. */
bool ith_arch_ignores_tensor(const char *name);

/* A name in a format; `layer` and `expert` count only where the pattern has them. False: files of
 * the format have no such tensor. */
bool ith_arch_tensor_name(const ith_arch *arch, bool gguf, ith_role role, int layer, int expert,
                          char name[ITH_TENSOR_NAME]);

#endif
