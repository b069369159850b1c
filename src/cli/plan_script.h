/* plan_script.h - a plan as a script for SLURM. */
#ifndef ITH_CLI_PLAN_SCRIPT_H
#define ITH_CLI_PLAN_SCRIPT_H

#include "base/error.h"
#include "base/json.h"

/* Writes cluster/slurm/ithaca.sbatch to `path`, with what `plan` says: nodes, ranks, threads,
 * memory and time limit, and as the first arguments of the run the model, the context and `words`,
 * an array of options. plan: what ith_estimate gives. ITH_E_IO; ITH_E_ARGUMENT: nothing can be
 * submitted, since nothing fits; or there is a file that is no script. */
ith_status ith_cli_write_script(const char *path, const char *model, const json_t *words,
                                const json_t *plan, ith_error *err);

#endif
