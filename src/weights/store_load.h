/* store_load.h - makes the weights that stay. */
#ifndef ITH_WEIGHTS_STORE_LOAD_H
#define ITH_WEIGHTS_STORE_LOAD_H

#include "weights/store_impl.h"

/* Makes this rank's share of what stays on its node, on the team's threads; verifies the checksums
 * of what is used in a mapping. The ranks meet afterwards. ITH_E_CANCELLED: progress asked to
 * stop. sums: [entries] zeroed; gets the sum of a digest of each unit that this rank made from
 * files that are no pack; NULL: not wanted. */
ith_status ith_store_load_share(ith_store *store, const ith_store_params *params, ith_team *team,
                                uint64_t *sums, ith_error *err);

/* store_same.c: collective. Loads, and where every node holds all weights compares them between
 * nodes, to the last byte. The same status on all ranks; ITH_E_COMM names a rank and a tensor. */
ith_status ith_store_load_same(ith_store *store, const ith_store_params *params, ith_team *team,
                               ith_error *err);

#endif
