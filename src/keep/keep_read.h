/* keep_read.h - restoring the saved part of a prompt. */
#ifndef ITH_KEEP_KEEP_READ_H
#define ITH_KEEP_KEEP_READ_H

#include "engine/keeper.h"

/* ith_keeper_ops.begin: reads the segments that the archive holds, and gets ready to write those
 * behind them. */
ith_status ith_keep_begin(ith_keeper *keeper, int64_t n, int64_t *restored, ith_error *err);

#endif
