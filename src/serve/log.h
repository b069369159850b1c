/* log.h - a line for each request that is over. It has nothing of what was asked or answered, and
 * no text of the client's. */
#ifndef ITH_SERVE_LOG_H
#define ITH_SERVE_LOG_H

#include "serve/visit.h"

/* How the visit has ended: its status, and the ith_now_ms of that. */
typedef struct ith_ending {
    unsigned status;
    int64_t now;
    ith_tally tally;
} ith_ending;

void ith_log_visit(const ith_visit *visit, const ith_ending *ending);

#endif
