/* heartbeat.c - datagrams around a ring of ranks. */
#include "comm/heartbeat.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    /* A goodbye that is lost would end a run; a beat that is lost is followed by others. */
    GOODBYES = 3,

    /* Looks in time after which a late one counts for one pause less. */
    CALM = 30,

    /* The most that a late rank is given, in times of what others are. */
    MOST_TIMES = 6
};

typedef struct beat {
    uint64_t token;
    int32_t rank; /* of the sender */
    int32_t leaves;
    int32_t late; /* pauses by which its looks came late lately, at most */
} beat;

struct ith_heartbeat {
    int fd, rank, before; /* before -1: not in a ring */
    int seconds;
    uint64_t token;
    struct sockaddr_in next[ITH_HOST_ADDRESSES]; /* all addresses of the next rank */
    int n_next;
    char host[64]; /* of the rank before */
    bool heard;    /* and it has not left since */
    int missed;
    int late, calm;  /* of this rank's looks; looks in time since */
    int before_late; /* as the rank before says of its own */
};

ith_heartbeat *ith_heartbeat_open(int seconds, ith_pulse *here)
{
    ith_heartbeat *h = calloc(1, sizeof *h);
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t size = sizeof any;

    *here = (ith_pulse){.seconds = seconds};
    ith_host_here(&here->host);
    if (getrandom(&here->token, sizeof here->token, GRND_NONBLOCK) != sizeof here->token)
        here->token = (uint64_t)getpid();
    if (h == NULL)
        return NULL;
    h->before = -1;
    h->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (h->fd >= 0 && bind(h->fd, (const struct sockaddr *)&any, sizeof any) == 0 &&
        getsockname(h->fd, (struct sockaddr *)&any, &size) == 0)
        here->port = any.sin_port;
    return h;
}

static struct sockaddr_in place(const uint8_t *ipv4, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = port};
    memcpy(&at.sin_addr, ipv4, 4);
    return at;
}

/* A rank of the same machine is reached without its networks. */
static void aim(ith_heartbeat *h, const ith_pulse *mine, const ith_pulse *next)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff}, loopback[4] = {127, 0, 0, 1};

    if (next->port == 0)
        return;
    if (memcmp(&mine->host, &next->host, sizeof mine->host) == 0) {
        h->next[h->n_next++] = place(loopback, next->port);
        return;
    }
    for (int i = 0; i < next->host.n_addresses; i++)
        if (memcmp(next->host.addresses[i], mapped, sizeof mapped) == 0)
            h->next[h->n_next++] = place(next->host.addresses[i] + 12, next->port);
}

static void send_beat(const ith_heartbeat *h, bool leaves)
{
    beat b = {h->token, h->rank, leaves, h->late};

    for (int i = 0; i < h->n_next; i++)
        (void)!sendto(h->fd, &b, sizeof b, MSG_NOSIGNAL, (const struct sockaddr *)&h->next[i],
                      sizeof h->next[i]);
}

void ith_heartbeat_join(ith_heartbeat *h, const ith_pulse *all, int size, int rank)
{
    const ith_pulse *before = &all[(rank + size - 1) % size];

    h->token = all[0].token;
    h->rank = rank;
    h->seconds = all[rank].seconds > before->seconds ? all[rank].seconds : before->seconds;
    h->before = (rank + size - 1) % size;
    memcpy(h->host, before->host.name, sizeof h->host);
    aim(h, &all[rank], &all[(rank + 1) % size]);
    if (all[rank].seconds > 0)
        send_beat(h, false);
}

/* The latest look counts for some time. */
static void note_late(ith_heartbeat *h, int late)
{
    if (late > 0 && late >= h->late) {
        h->late = late;
        h->calm = 0;
    } else if (h->late > 0 && ++h->calm == CALM) {
        h->late--;
        h->calm = 0;
    }
}

int ith_heartbeat_look(ith_heartbeat *h, int late)
{
    beat b;
    ssize_t got;

    if (h->fd < 0 || h->before < 0)
        return 0;
    note_late(h, late);
    send_beat(h, false);
    h->missed++;
    while ((got = recv(h->fd, &b, sizeof b, 0)) >= 0)
        if (got == sizeof b && b.token == h->token && b.rank == h->before) {
            h->missed = 0;
            h->heard = b.leaves == 0;
            h->before_late = b.late;
        }
    if (!h->heard)
        h->missed = 0;
    return h->missed;
}

int ith_heartbeat_seconds(const ith_heartbeat *h)
{
    return h->seconds;
}

int ith_heartbeat_times(const ith_heartbeat *h)
{
    return h->before_late < 0                ? 1
           : h->before_late < MOST_TIMES - 1 ? 1 + h->before_late
                                             : MOST_TIMES;
}

int ith_heartbeat_before(const ith_heartbeat *h, const char **host)
{
    *host = h->host;
    return h->before;
}

void ith_heartbeat_close(ith_heartbeat *h)
{
    if (h == NULL)
        return;
    for (int i = 0; i < GOODBYES; i++)
        send_beat(h, true);
    if (h->fd >= 0)
        close(h->fd);
    free(h);
}
