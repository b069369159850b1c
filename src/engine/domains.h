/* domains.h - memory domains: which ranks of a machine share a copy of the weights, on which memory
 * nodes (NUMA) it lies, and whether the launcher gave the ranks enough cores. */
#ifndef ITH_ENGINE_DOMAINS_H
#define ITH_ENGINE_DOMAINS_H

#include "engine/engine.h"

/* Collective. Makes each memory node a memory domain if every rank is bound to one node and each
 * node has room for a copy of the weights. Otherwise the machine is one domain. */
void ith_engine_choose_domains(ith_engine *engine, const ith_engine_params *params);

/* Collective. Has every rank room for its session, and for its share of its domain's copy of the
 * weights? */
bool ith_engine_copies_fit(ith_engine *engine, const ith_engine_params *params);

/* Collective. Finds the memory nodes on which the weights should lie. *homes is valid as long as
 * the engine. ITH_E_MEMORY is the only error. */
ith_status ith_engine_find_homes(ith_engine *engine, ith_homes *homes, ith_error *err);

/* Local. Writes the advice of ith_engine_info if the launcher lets this rank run on fewer cores
 * than it has threads, or on less than its share of the machine. */
void ith_engine_advise(ith_engine *engine, const ith_engine_params *params);

#endif
