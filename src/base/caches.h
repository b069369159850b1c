/* caches.h - the share of the CPU's caches that one thread can count on. */
#ifndef ITH_BASE_CACHES_H
#define ITH_BASE_CACHES_H

#include "base/error.h"

#include <stdint.h>

/* Bytes of one core's share. The share of a cache that cores share is its size divided by their
 * number. */
typedef struct ith_caches {
    int64_t l1; /* for data */
    int64_t l2;
    int64_t l3; /* what lies between l2 and memory; the size of l2 where there is nothing */
} ith_caches;

/* The caches of a small core of the last ten years, for machines that report none. */
ith_caches ith_caches_default(void);

/* Reads "48KiB,2MiB,32MiB": l1, l2, l3, each from 1 KiB to 1 GiB. `what` names the setting in
 * errors. ITH_E_ARGUMENT: anything else. */
ith_status ith_caches_read(const char *what, const char *text, ith_caches *caches, ith_error *err);

#endif
