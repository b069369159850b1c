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
 *   Layers     are lists of blocks, each of a kind (model/blocks/block.h).
 *
 * All families so far are pre-norm decoders with grouped-query attention, rotary positions, and a
 * gated SiLU MLP or a mixture of experts.
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
    ITH_ROLE_EMBED,
    ITH_ROLE_OUT_NORM,
    ITH_ROLE_OUTPUT,
    ITH_ROLE_ATTN_NORM, /* from here on: one per layer, %d in the name */
    ITH_ROLE_Q,
    ITH_ROLE_K,
    ITH_ROLE_V,
    ITH_ROLE_O,
    ITH_ROLE_Q_BIAS,
    ITH_ROLE_K_BIAS,
    ITH_ROLE_V_BIAS,
    ITH_ROLE_Q_NORM,
    ITH_ROLE_K_NORM,
    ITH_ROLE_FFN_NORM,
    ITH_ROLE_GATE,
    ITH_ROLE_UP,
    ITH_ROLE_DOWN,
    ITH_ROLE_ROUTER,
    ITH_ROLE_EXPERT_GATE, /* one per expert of a layer, another %d in the name */
    ITH_ROLE_EXPERT_UP,
    ITH_ROLE_EXPERT_DOWN,
    ITH_ROLE_EXPERTS_GATE, /* all experts of a layer: [experts][rows][cols], in the same order */
    ITH_ROLE_EXPERTS_UP,
    ITH_ROLE_EXPERTS_DOWN,
    ITH_ROLE_EXPERTS_GATE_UP, /* of each expert gate's rows, then up's: [experts][2 rows][cols] */
    ITH_ROLES
} ith_role;

/* How a config.json says that it is of the family. */
typedef struct ith_hf_class {
    const char *model_type; /* its "model_type" */
    const char *name;       /* the first of its "architectures" */
} ith_hf_class;

/* The defaults of the family's class in Transformers. */
typedef struct ith_arch_defaults {
    int64_t n_kv_heads; /* 0: as many as query heads */
    int64_t head_dim;   /* 0: hidden / heads */
    int64_t ctx;        /* max_position_embeddings */
    double rms_eps, rope_theta;
    bool tied_embeddings;
    bool sliding_window; /* a sliding_window counts although use_sliding_window is absent */
    int32_t bos, eos;    /* -1: none */
} ith_arch_defaults;

/* What a layer is made of: sub-layers, each x += block(norm(x)). */
enum { ITH_MAX_SUBLAYERS = 4 };

typedef struct ith_sublayer_form {
    ith_role norm;     /* the tensor of its RMSNorm */
    const char *block; /* the kind of its block (model/blocks/kinds.inc) */
} ith_sublayer_form;

typedef struct ith_layer_form {
    int n;
    ith_sublayer_form sub[ITH_MAX_SUBLAYERS];
} ith_layer_form;

typedef struct ith_arch {
    /* general.architecture of GGUF files; "architecture" of packs. */
    const char *name;

    /* ---- Layers ---- */

    /* What layer i is made of. */
    ith_layer_form (*layer)(const ith_hparams *hp, int64_t i);

    /* ---- Tensors ---- */

    /* [ITH_ROLES] printf patterns; NULL: files of the format have no such tensor. */
    const char *const *hf_names;
    const char *const *gguf_names;

    /* Biases on queries, keys and values. */
    bool qkv_bias;

    /* RMSNorm over each query and key head before RoPE. */
    bool qk_norm;

    /* GGUF files store rows of q and k for interleaved rotary pairs (gguf.h). */
    bool gguf_interleaved_qk;

    /* ---- config.json ---- */

    const ith_hf_class *hf_classes; /* ends with {NULL} */
    ith_arch_defaults defaults;

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

/* The names that most families use. */
extern const char *const ith_names_hf[ITH_ROLES];
extern const char *const ith_names_gguf[ITH_ROLES];

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

/* Is `key` in a list such as config_keys? */
bool ith_arch_takes(const char *const *keys, const char *key);

enum { ITH_TENSOR_NAME = 128 /* bytes of a tensor's name, its NUL included */ };

/* Tensors that files hold beside a family's and that say nothing that the hyperparameters do not:
 * rotary frequencies that older programs saved, in both formats. */
bool ith_arch_ignores_tensor(const char *name);

/* A name from hf_names or gguf_names; `layer` and `expert` count only where the pattern has them.
 * False: files of the format have no such tensor. */
bool ith_arch_tensor_name(const char *const *names, ith_role role, int layer, int expert,
                          char name[ITH_TENSOR_NAME]);

#endif
