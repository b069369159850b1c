/* world.h - all ranks, behind their handle. */
#ifndef ITH_ENGINE_WORLD_H
#define ITH_ENGINE_WORLD_H

#include "comm/comm.h"
#include "ithaca.h"

struct ith_world {
    ith_comm *comm;
};

#endif
