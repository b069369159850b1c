/* architectures.h - the model families that Ithaca knows, with the values that their files may leave out. A new one is a
 * row of the table in architectures.c. */
#ifndef ITH_FORMATS_ARCHITECTURES_H
#define ITH_FORMATS_ARCHITECTURES_H

#include "formats/source.h"

typedef struct ith_architecture {
    const char *name;       /* GGUF's spelling: general.architecture */
    const char *model_type; /* config.json's */
    const char *hf_class;   /* config.json's architectures[0] */
    /* Defaults of the family's class in Transformers, for config.json. 0: the number of heads; hidden / heads. */
    int64_t n_kv_heads, head_dim, ctx;
    int32_t bos, eos; /* -1: none */
    bool experts;     /* layers have experts in place of the MLP */
} ith_architecture;

/* NULL if it is not in the table. */
const ith_architecture *ith_architecture_by_name(const char *name);
const ith_architecture *ith_architecture_by_model_type(const char *model_type);

/* ITH_E_UNSUPPORTED: `where` (a file) has architecture `found`; lists those known. */
ith_status ith_architecture_unknown(const char *where, const char *found, ith_error *err);

#endif
