/* store_impl.h - the inside of a store, for the files store*.c:
 *
 *   store_open    opening and closing; what stays; allocating and loading it
 *   store_load    making it
 *   store_pass    using it inside passes
 *   store_memory  where it lies
 */
#ifndef ITH_WEIGHTS_STORE_IMPL_H
#define ITH_WEIGHTS_STORE_IMPL_H

#include "weights/lookup.h"
#include "weights/residence.h"
#include "weights/shards.h"
#include "weights/spread.h"
#include "weights/store.h"

struct ith_store {
    ith_comm *comm;
    ith_load_plan plan;
    ith_shards shards;
    void *memory;      /* its node's; its memory domain's if everything stays, whole */
    ith_spread spread; /* of what lies there, all that stays and is not used in a mapping */
    size_t own_bytes;  /* of it */
    ith_homes homes;
    bool has_frames; /* streamed weights come from memory */
    ith_feed *feed;  /* NULL: everything stays, whole */
    ith_residence residence;
    const ith_matrix *embed, *output;
    ith_lookup *lookup; /* rows of an embedding that does not stay whole; otherwise NULL */
};

/* Each memory domain has its own copy if everything stays, whole. Otherwise all ranks of a node
 * share one memory, because they fetch for each other. */
static inline bool ith_store_by_domains(const ith_store *store)
{
    return store->residence.steps.transit == 0;
}

#endif
