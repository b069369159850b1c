/* rank_table.h - one table of all ranks before weights are read: where each runs, what it may use,
 * and what it would take. */
#ifndef ITH_ENGINE_RANK_TABLE_H
#define ITH_ENGINE_RANK_TABLE_H

#include "engine/engine.h"
#include "engine/rank_check.h"

/* Collective, when the weight distribution is chosen. Gathers a row of each rank, checks them on
 * rank 0, and hands both to params->ranks as JSON; nothing where that is NULL. ITH_E_MEMORY. */
ith_status ith_rank_table_report(const ith_engine *engine, const ith_engine_params *params,
                                 const ith_store_params *store, ith_error *err);

#endif
