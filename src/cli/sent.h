/* sent.h - reports how many bytes a rank has sent. */
#ifndef ITH_CLI_SENT_H
#define ITH_CLI_SENT_H

#include "base/json.h"

/* Bytes that this rank sent: {exchange: {STRATEGY: {calls, in_node, cross_node}, ...}, allgather,
 * messages, bcast}. */
json_t *ith_cli_sent_json(const ith_world *world);

/* "; rank 0 sent ..." for the end of a line; "" with one rank. */
void ith_cli_sent_text(const ith_world *world, char *text, size_t bytes);

#endif
