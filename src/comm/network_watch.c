/* network_watch.c - a thread that looks at the TCP connections of this process. */
#include "comm/network_watch.h"

#include "base/progress.h"

#include <dirent.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* The system shall go on probing when the limit is reached, so that the line is ours. */
enum { PROBES = 127, STACK = 256 * 1024 };

/* When a descriptor was first seen as the socket that it is. */
typedef struct seen {
    ino_t socket;
    double since;
} seen;

struct ith_network_watch {
    ith_host here, *hosts; /* [n] */
    int n, seconds, pause; /* from look to look */
    DIR *descriptors;      /* of this process: opened once */
    ith_network_lost_fn *lost;
    ith_network_ask_fn *ask; /* NULL: none */
    void *user;
    seen *seen; /* [n_seen] by descriptor */
    int n_seen;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool closing; /* under the lock */
};

/* ---- Addresses ---- */

static bool address_of(const struct sockaddr *from, uint8_t to[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (from->sa_family == AF_INET) {
        memcpy(to, mapped, sizeof mapped);
        memcpy(to + 12, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
        return true;
    }
    if (from->sa_family != AF_INET6)
        return false;
    memcpy(to, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
    return true;
}

static bool has_address(const ith_host *host, const uint8_t address[16])
{
    for (int i = 0; i < host->n_addresses; i++)
        if (memcmp(host->addresses[i], address, 16) == 0)
            return true;
    return false;
}

void ith_host_here(ith_host *host)
{
    struct ifaddrs *all = NULL;

    *host = (ith_host){0};
    gethostname(host->name, sizeof host->name - 1);
    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *at = all; at != NULL && host->n_addresses < ITH_HOST_ADDRESSES;
         at = at->ifa_next)
        if (at->ifa_addr != NULL && (at->ifa_flags & IFF_LOOPBACK) == 0 &&
            address_of(at->ifa_addr, host->addresses[host->n_addresses]))
            host->n_addresses++;
    freeifaddrs(all);
}

/* Another machine with this address, which is none of ours. */
static const ith_host *host_with(const ith_network_watch *w, const uint8_t address[16])
{
    if (has_address(&w->here, address))
        return NULL;
    for (int i = 0; i < w->n; i++)
        if (has_address(&w->hosts[i], address))
            return &w->hosts[i];
    return NULL;
}

/* ---- Connections ---- */

/* The machine at the other end of descriptor fd; NULL: it is no connection to one of them. */
static const ith_host *other_end(const ith_network_watch *w, int fd)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    uint8_t address[16];

    if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0 ||
        !address_of((const struct sockaddr *)&peer, address))
        return NULL;
    return host_with(w, address);
}

bool ith_host_connection(const ith_host *hosts, int n, uint8_t local[16])
{
    ith_network_watch w = {.n = n, .hosts = (ith_host *)hosts};
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;
    bool found = false;

    ith_host_here(&w.here);
    while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
        struct sockaddr_storage own;
        socklen_t size = sizeof own;
        int fd = entry->d_name[0] == '.' ? -1 : atoi(entry->d_name);
        found = fd >= 0 && other_end(&w, fd) != NULL &&
                getsockname(fd, (struct sockaddr *)&own, &size) == 0 &&
                address_of((const struct sockaddr *)&own, local);
    }
    if (dir != NULL)
        closedir(dir);
    return found;
}

/* Has the system probe a connection that is idle. */
static void arm(const ith_network_watch *w, int fd)
{
    int on = 1, idle = w->seconds / 4 > 0 ? w->seconds / 4 : 1, probes = PROBES, now = 0;
    socklen_t size = sizeof now;

    if (getsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &now, &size) == 0 && now == idle)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

/* Since when fd has been the socket that it is, as far as seen. Without memory: since now. */
static double seen_since(ith_network_watch *w, int fd, double now)
{
    struct stat info;
    seen *grown;

    if (fstat(fd, &info) != 0)
        return now;
    if (fd >= w->n_seen) {
        grown = realloc(w->seen, (size_t)(fd + 1) * sizeof *grown);
        if (grown == NULL)
            return now;
        memset(grown + w->n_seen, 0, (size_t)(fd + 1 - w->n_seen) * sizeof *grown);
        w->seen = grown;
        w->n_seen = fd + 1;
    }
    if (w->seen[fd].socket != info.st_ino)
        w->seen[fd] = (seen){info.st_ino, now};
    return w->seen[fd].since;
}

/* Seconds since the other end has acknowledged anything, as far as probes were sent. */
static double silence_of(ith_network_watch *w, int fd, double now)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    double known = now - seen_since(w, fd, now), silent;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        info.tcpi_state != TCP_ESTABLISHED)
        return 0;
    silent = info.tcpi_last_ack_recv / 1000.0;
    return silent < known ? silent : known;
}

/* A machine that has been silent for too long; NULL: none. */
static const ith_host *look(ith_network_watch *w)
{
    const ith_host *host = NULL, *lost = NULL;
    struct dirent *entry;
    double now = ith_now_s();

    if (w->descriptors == NULL)
        return NULL;
    rewinddir(w->descriptors);
    while (lost == NULL && (entry = readdir(w->descriptors)) != NULL) {
        int fd = entry->d_name[0] == '.' ? -1 : atoi(entry->d_name);
        if (fd < 0 || (host = other_end(w, fd)) == NULL)
            continue;
        arm(w, fd);
        if (silence_of(w, fd, now) > w->seconds)
            lost = host;
    }
    return lost;
}

/* ---- The thread ---- */

/* Is something lost? Then `text` says what. The thread woke `late` pauses late: if this machine
 * stood still, as virtual ones do, the answers to its probes are not here yet. */
static bool is_lost(ith_network_watch *w, int late, char text[ITH_NETWORK_TEXT])
{
    bool asked =
        w->ask != NULL && w->ask(w->user, (w->seconds + w->pause - 1) / w->pause, late, text);
    const ith_host *host = look(w);

    if (host == NULL || late > 0)
        return asked;
    snprintf(text, ITH_NETWORK_TEXT,
             "%s has not answered for %d seconds: it is down, or the network between it and %s is "
             "cut",
             host->name, w->seconds, w->here.name);
    return true;
}

/* From the first look on it allocates nothing, unless there are more descriptors: while another
 * thread brings in much memory, it would wait for that. */
static void *run(void *arg)
{
    ith_network_watch *w = arg;
    char text[ITH_NETWORK_TEXT];
    bool lost = false;

    pthread_mutex_lock(&w->lock);
    while (!w->closing && !lost) {
        double slept_at = ith_now_s();
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += w->pause;
        pthread_cond_timedwait(&w->changed, &w->lock, &until);
        lost = !w->closing && is_lost(w, (int)((ith_now_s() - slept_at) / w->pause) - 1, text);
    }
    pthread_mutex_unlock(&w->lock);
    if (lost)
        w->lost(w->user, text);
    return NULL;
}

/* Signals are for the threads of the program. */
static bool start(ith_network_watch *w)
{
    pthread_condattr_t clock;
    pthread_attr_t attributes;
    sigset_t all, before;
    bool started;

    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &clock);
    pthread_condattr_destroy(&clock);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    started = pthread_create(&w->thread, &attributes, run, w) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return started;
}

static void free_watch(ith_network_watch *w)
{
    if (w->descriptors != NULL)
        closedir(w->descriptors);
    free(w->hosts);
    free(w->seen);
    free(w);
}

ith_network_watch *ith_network_watch_open(const ith_host *hosts, int n, int seconds,
                                          ith_network_lost_fn *lost, ith_network_ask_fn *ask,
                                          void *user)
{
    ith_network_watch *w = calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    *w = (ith_network_watch){.seconds = seconds,
                             .pause = seconds / 8 > 0 ? seconds / 8 : 1,
                             .descriptors = opendir("/proc/self/fd"),
                             .lost = lost,
                             .ask = ask,
                             .user = user};
    ith_host_here(&w->here);
    w->hosts = calloc((size_t)n, sizeof *w->hosts);
    /* Two machines may have one name. */
    for (int i = 0; w->hosts != NULL && i < n; i++)
        if (memcmp(&hosts[i], &w->here, sizeof w->here) != 0)
            w->hosts[w->n++] = hosts[i];
    if ((w->n > 0 || ask != NULL) && start(w))
        return w;
    free_watch(w);
    return NULL;
}

void ith_network_watch_close(ith_network_watch *w)
{
    if (w == NULL)
        return;
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    free_watch(w);
}
