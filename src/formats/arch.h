/* arch.h - what distinguishes one architecture from the next: one const struct per file arch_<name>.c.
 *
 * All are pre-norm decoders with grouped-query attention, rotary positions and a gated SiLU MLP, or several of which
 * a router chooses for each token (ith_hparams_has_experts says in which layers). A new one of this family is a
 * file with its names and switches, and a line in arch.c.
 */
#ifndef ITH_FORMATS_ARCH_H
#define ITH_FORMATS_ARCH_H

#include "formats/source.h"

typedef enum ith_part {
    ITH_PART_EMBED,
    ITH_PART_OUT_NORM,
    ITH_PART_OUTPUT,
    ITH_PART_ATTN_NORM, /* from here on: one per layer, %d in the name */
    ITH_PART_Q,
    ITH_PART_K,
    ITH_PART_V,
    ITH_PART_O,
    ITH_PART_Q_NORM,
    ITH_PART_K_NORM,
    ITH_PART_FFN_NORM,
    ITH_PART_GATE,
    ITH_PART_UP,
    ITH_PART_DOWN,
    ITH_PART_ROUTER,
    ITH_PART_EXPERT_GATE, /* one per expert of a layer, another %d in the name */
    ITH_PART_EXPERT_UP,
    ITH_PART_EXPERT_DOWN,
    ITH_PART_EXPERTS_GATE, /* or those of all experts of a layer in one tensor, [experts][rows][cols], in the same order */
    ITH_PART_EXPERTS_UP,
    ITH_PART_EXPERTS_DOWN,
    ITH_PART_EXPERTS_GATE_UP, /* or gate's rows of an expert, then up's: [experts][2 rows][cols] */
    ITH_PARTS
} ith_part;

typedef struct ith_arch {
    const char *name;              /* GGUF's spelling */
    const char *const *hf_names;   /* [ITH_PARTS], printf patterns; NULL: such files have no tensor of this kind */
    const char *const *gguf_names; /* [ITH_PARTS] */
    bool qk_norm;                  /* RMSNorm over each query and key head before RoPE */
    bool gguf_interleaved_qk;      /* GGUF stores query and key rows for interleaved rotary pairs */
} ith_arch;

extern const char *const ith_names_hf[ITH_PARTS]; /* the names that most of the family use */
extern const char *const ith_names_gguf[ITH_PARTS];

extern const ith_arch ith_arch_qwen3, ith_arch_qwen3moe, ith_arch_llama;

/* NULL if there is none of this name. */
const ith_arch *ith_arch_find(const char *name);

#endif
