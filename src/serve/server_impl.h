/* server_impl.h - what the files of a server share. */
#ifndef ITH_SERVE_SERVER_IMPL_H
#define ITH_SERVE_SERVER_IMPL_H

#include "serve/call.h"
#include "serve/metrics.h"
#include "serve/serve.h"

/* A connection, and since when it owes the header of a request or, once that is there, the rest of
 * it: ith_now_ms; 0: it owes nothing. */
typedef struct ith_guest {
    struct ith_guest *prev, *next;
    int fd;
    int64_t since;
    bool busy;    /* with a request, from its header to the end of the response */
    bool shut_up; /* it is being closed */
} ith_guest;

struct ith_server {
    ith_server_params params;
    ith_world *world;

    /* Rank 0. */
    ith_queue queue;
    char address[300];
    char warned[1200];       /* of the prompt cache, last; engine's thread */
    int64_t begun_again;     /* of this run of ith_generate_many; engine's thread */
    int listener;            /* socket; -1: none */
    bool is_local;           /* loopback addresses only */
    struct MHD_Daemon *http; /* NULL: not begun */
    ith_metrics metrics;

    pthread_mutex_t lock; /* of what follows */
    bool ready;           /* there is an engine, and it goes on */
    bool stopping;
    int exchanges;     /* requests whose responses are not complete */
    int64_t body_most; /* bytes of a body */
    int64_t bodies;    /* of all bodies that are in memory, or what is made of them */
    int preparing;     /* requests that are being read, rendered and tokenized */
    pthread_cond_t turn;

    /* Of the thread that closes connections (listener.c). */
    pthread_mutex_t guests_lock;
    pthread_cond_t guests_end;
    pthread_t watcher;
    bool watches, watch_ends;
    ith_guest *guests; /* the one that came last is the first */
    int n_guests;      /* that are not being closed */

    /* Set before `ready`. */
    const ith_engine *engine; /* the engine's thread only, but for its info and vocab */
    const ith_engine_info *info;
    ith_generate_params preset;
    const ith_vocab *vocab; /* NULL: the model has none */
};

/* listener.c. Local, rank 0. */
ith_status ith_listener_open(ith_server *server, ith_error *err);
void ith_listener_close(ith_server *server);

#endif
