/* probe_links.h - what messages between ranks cost: see ith_machine_link. */
#ifndef ITH_TOOLS_PROBE_LINKS_H
#define ITH_TOOLS_PROBE_LINKS_H

#include "comm/comm.h"
#include "tools/machine.h"

typedef struct ith_probed_links {
    ith_machine_link inside, between; /* bytes 0: there are no such ranks */
} ith_probed_links;

/* Collective; the same on all ranks. The slowest pair counts, and the slowest node. Takes some
 * tenths of a second. ITH_E_MEMORY. */
ith_status ith_probe_links(ith_comm *comm, ith_probed_links *links, ith_error *err);

#endif
