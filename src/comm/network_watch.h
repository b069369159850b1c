/* network_watch.h - notices when another machine does not answer any more: the network between is
 * cut, or the machine is down.
 *
 * MPI waits for ever for a machine that vanishes without a word, as a slow one and a lost one look
 * alike to it. To TCP they do not: the system of a machine that is there acknowledges, however busy
 * its processes are, even if they are stopped. So a thread looks now and then at this process's
 * connections to the other machines, has the system probe those that are idle (keepalive), and
 * reads how long ago the last acknowledgement came (TCP_INFO). A run costs nothing more. Networks
 * other than TCP are not watched.
 */
#ifndef ITH_COMM_NETWORK_WATCH_H
#define ITH_COMM_NETWORK_WATCH_H

#include <stdbool.h>
#include <stdint.h>

enum { ITH_HOST_ADDRESSES = 16, ITH_NETWORK_TEXT = 400 };

/* A machine. IPv4 addresses as IPv6 has them (::ffff:1.2.3.4). No pointers: it may travel. */
typedef struct ith_host {
    char name[64];
    int32_t n_addresses;
    uint8_t addresses[ITH_HOST_ADDRESSES][16];
} ith_host;

/* This machine, without loopback addresses. */
void ith_host_here(ith_host *host);

/* The local address of a TCP connection of this process to one of hosts[n] that is not this
 * machine; false: there is none, as with other networks, or before the first message. */
bool ith_host_connection(const ith_host *hosts, int n, uint8_t local[16]);

typedef struct ith_network_watch ith_network_watch;

/* Called once, in the watch's thread. */
typedef void ith_network_lost_fn(void *user, const char *text);

/* What else the watch asks, each time it looks: is something lost, and what? `looks` so many times
 * the answer would be late by the watch's seconds. late: by so many pauses between looks this one
 * came late, as on a machine that has too much to do; 0: in time. */
typedef bool ith_network_ask_fn(void *user, int looks, int late, char text[ITH_NETWORK_TEXT]);

/* Watches connections to hosts[n], those of them that are not this machine. When one has not
 * acknowledged anything for `seconds`, 1 or more, lost() is told so. `ask` may be NULL;
 * both have the argument `user`. NULL: neither another machine among them nor anything to ask, or
 * no thread: nothing is watched. */
ith_network_watch *ith_network_watch_open(const ith_host *hosts, int n, int seconds,
                                          ith_network_lost_fn *lost, ith_network_ask_fn *ask,
                                          void *user);
void ith_network_watch_close(ith_network_watch *watch); /* accepts NULL */

#endif
