/* world.h - the world behind its handle: the ranks of the job. */
#ifndef ITH_ENGINE_WORLD_H
#define ITH_ENGINE_WORLD_H

#include "comm/comm.h"
#include "ithaca.h"

struct ith_world {
    ith_comm *comm;
    void *ledger; /* of the memory promised to the node's ranks (base/ledger.h) */
};

#endif
