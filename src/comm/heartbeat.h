/* heartbeat.h - notices when another rank does not run any more, though its machine is there: it is
 * stopped (SIGSTOP), or its memory thrashes.
 *
 * The ranks stand in a ring. Each sends the next a datagram (UDP) now and then, and listens to the
 * one before it; network_watch.h's thread does both, so a rank that computes or waits in MPI beats,
 * and one that is stopped does not. A rank counts how often it has listened in vain, not how long:
 * if all were stopped together (scontrol suspend, Ctrl-Z) they go on together. Nobody is judged who
 * was never heard, as behind a firewall.
 *
 * A machine that has too much to do wakes that thread late, and so it beats late. Each beat says by
 * how much its sender's looks came late, and the next rank waits as many times longer for its next
 * one. A rank that is stopped was in time until then. (Failure detectors that judge by the delays
 * of the past: Hayashibara et al., "The phi accrual failure detector", SRDS 2004.)
 */
#ifndef ITH_COMM_HEARTBEAT_H
#define ITH_COMM_HEARTBEAT_H

#include "comm/network_watch.h"

/* Where a rank listens. No pointers: it travels. */
typedef struct ith_pulse {
    ith_host host;
    uint16_t port;   /* of all its IPv4 addresses, in network order; 0: it does not listen */
    int32_t seconds; /* how patient it is; the more, the less often it beats. 0: it does not */
    uint64_t token;  /* rank 0's is on every datagram of the job */
} ith_pulse;

typedef struct ith_heartbeat ith_heartbeat;

/* Opens this rank's socket and says where it listens, and that it waits for `seconds`. NULL: there
 * is no memory; port 0: no socket. */
ith_heartbeat *ith_heartbeat_open(int seconds, ith_pulse *here);

/* Rank `rank` of `size`, whose places are all[size], takes its place in the ring. If it beats at
 * all, it does at once, so that it is known to the next even if it stops before its first look. */
void ith_heartbeat_join(ith_heartbeat *h, const ith_pulse *all, int size, int rank);

/* Sends a beat, and listens to what has come since the last call. The call is late by so many
 * pauses between calls. Returns how many calls, this one included, have heard nothing; 0:
 * something, or the rank before was never heard, or has left. */
int ith_heartbeat_look(ith_heartbeat *h, int late);

/* A rank before this one that is silent for so long is stopped: of the two ranks' seconds the more,
 * as launchers need not give both the same. */
int ith_heartbeat_seconds(const ith_heartbeat *h);

/* How many times longer the rank before gets, by what it has said of itself: 1 to 6. */
int ith_heartbeat_times(const ith_heartbeat *h);

/* The rank before this one, and its host. */
int ith_heartbeat_before(const ith_heartbeat *h, const char **host);

/* Tells the next rank that this one leaves; accepts NULL. */
void ith_heartbeat_close(ith_heartbeat *h);

#endif
