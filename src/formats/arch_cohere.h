/* arch_cohere.h - what both generations of Command-R share. */
#ifndef ITH_FORMATS_ARCH_COHERE_H
#define ITH_FORMATS_ARCH_COHERE_H

#include "formats/arch.h"

/* LayerNorm's epsilon and the scale of logits, in both formats. */
extern const ith_arch_key ith_cohere_keys[];

/* An ith_arch.traits: the scale of logits where files do not say it. */
void ith_cohere_traits(ith_hparams *hp);

#endif
