/* store_impl.h - a store's inside, for store.c (what lies where), store_load.c (making it) and store_pass.c (using it). */
#ifndef ITH_WEIGHTS_STORE_IMPL_H
#define ITH_WEIGHTS_STORE_IMPL_H

#include "weights/lookup.h"
#include "weights/residence.h"
#include "weights/shards.h"
#include "weights/store.h"

struct ith_store {
    ith_comm *comm;
    ith_plan plan;
    ith_shards shards;
    size_t own_bytes; /* of `memory`: what is not used in a mapping */
    void *memory;     /* this node's; its memory domain's, if everything stays whole */
    ith_homes homes;
    ith_feed *feed; /* NULL: everything stays, whole */
    ith_residence residence;
    const ith_matrix *embed, *output;
    ith_lookup *lookup; /* rows of an embedding that does not stay, else NULL */
};

/* Copies beside the threads that read them are of what stays whole; the rest is shared by all ranks of a node, who fetch for each other. */
static inline bool ith_store_by_domains(const ith_store *store)
{
    return store->residence.transit == 0;
}

/* The entry's first unit in a pack's mapping, if it is to be used there; else NULL. Where only a part stays nothing is: pages of a mapping
 * come in larger pieces than are needed, and count. */
const uint8_t *ith_store_in_place(const ith_store *store, const ith_entry *e);

/* A matrix that stays shows the tiles of this rank's rows, which is all of them where nothing is cut. */
void ith_store_show_held(const ith_store *store, const ith_entry *e);

/* Makes this rank's share of what stays on its node, or looks at its checksums where it is used in a mapping. Its members together; the
 * ranks meet afterwards. */
ith_status ith_store_load_share(ith_store *store, const ith_store_params *params, ith_team *team, ith_error *err);

#endif
