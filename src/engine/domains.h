/* domains.h - ranks and memory nodes (NUMA). */
#ifndef ITH_ENGINE_DOMAINS_H
#define ITH_ENGINE_DOMAINS_H

#include "engine/engine.h"

/* Collective. Makes memory domains of the machine's memory nodes if every rank is bound to one node
 * and a copy of the weights fits into each. */
void ith_engine_choose_domains(ith_engine *engine, const ith_engine_params *params);

/* Collective. On which memory nodes the weights shall lie. *homes is valid as long as the
 * engine. */
ith_status ith_engine_find_homes(ith_engine *engine, ith_homes *homes, ith_error *err);

/* Sets the engine's advice to the user if a launcher lets this rank run on fewer cores than it has
 * threads, or than its share of the machine. */
void ith_engine_advise(ith_engine *engine, const ith_engine_params *params);

#endif
