/* arch_granite.h - what Granite 3's dense models and those with experts have in common. */
#ifndef ITH_FORMATS_ARCH_GRANITE_H
#define ITH_FORMATS_ARCH_GRANITE_H

#include "formats/arch.h"

/* For `keys`, `traits` and `read_config`: the four scales. */
extern const ith_arch_key ith_granite_keys[];
void ith_granite_traits(ith_hparams *hp);
ith_status ith_granite_read_config(const json_t *config, const char *where, ith_hparams *hp,
                                   ith_error *err);

#endif
