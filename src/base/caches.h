/* caches.h - the sizes of the caches that one thread may count on. */
#ifndef ITH_BASE_CACHES_H
#define ITH_BASE_CACHES_H

#include "base/error.h"

#include <stdint.h>

typedef struct
    ith_caches { /* bytes of one core's share: of a cache of several cores, its size divided by their number */
    int64_t l1;  /* for data */
    int64_t l2;
    int64_t l3; /* what lies between l2 and memory; l2's size where there is nothing */
} ith_caches;

/* Those of a small core of the last ten years: what is taken where a machine tells nothing. */
ith_caches ith_caches_default(void);

/* Reads "48KiB,2MiB,32MiB": l1, l2, l3, each from 1 KiB to 1 GiB. ITH_E_ARGUMENT names `what` the text is the value of. */
ith_status ith_caches_read(const char *what, const char *text, ith_caches *caches, ith_error *err);

#endif
