/* sent.h - what ranks sent, for people and for programs. */
#ifndef ITH_CLI_SENT_H
#define ITH_CLI_SENT_H

#include "base/json.h"

/* {exchange: {STRATEGY: {calls, in_node, cross_node}, ...}, allgather, messages, bcast}: bytes that this rank sent. */
json_t *ith_cli_sent_json(const ith_world *world);

/* "; rank 0 sent ...", for the end of a line; nothing with one rank. */
void ith_cli_sent_text(const ith_world *world, char *text, size_t bytes);

#endif
