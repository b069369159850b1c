/* machine_file.h - machine files: what machine.h describes, as JSON.
 *
 * cluster/machines/schema/machine-1.json is their schema. What it refuses is refused here too, and
 * what it cannot say: lists are in order, and the last of `rates` has all cores. Rates are in 10^9
 * per second (read_gbps: bytes; gops, gflops: operations, a multiplication with its addition as
 * two), times in microseconds. `derived` lists the fields that were not measured but follow from
 * other figures, as `notes` explain; both are for people.
 */
#ifndef ITH_TOOLS_MACHINE_FILE_H
#define ITH_TOOLS_MACHINE_FILE_H

#include "base/json.h"
#include "tools/machine.h"

#define ITH_MACHINE_SCHEMA "ithaca-machine/1"

/* The most that a machine file has. */
enum { ITH_MACHINE_BYTES = 1 << 20 };

/* Local. The machine that a file describes. `where` names the file in errors. ITH_E_FORMAT, naming
 * the first field that is missing, unknown, of another type or out of its range. */
ith_status ith_machine_of_json(const json_t *root, const char *where, ith_machine *machine,
                               ith_error *err);

#endif
