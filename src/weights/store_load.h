/* store_load.h - makes the weights that stay. */
#ifndef ITH_WEIGHTS_STORE_LOAD_H
#define ITH_WEIGHTS_STORE_LOAD_H

#include "weights/store_impl.h"

/* Makes this rank's share of what stays on its node, on the team's threads; verifies the checksums
 * of what is used in a mapping. The ranks meet afterwards. ITH_E_CANCELLED: progress asked to
 * stop. */
ith_status ith_store_load_share(ith_store *store, const ith_store_params *params, ith_team *team,
                                ith_error *err);

#endif
