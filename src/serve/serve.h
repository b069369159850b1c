/* serve.h - a server with OpenAI's HTTP interface in front of an engine.
 *
 *     HTTP threads (visit.c, one per connection, rank 0)          the engine's thread (loop.c)
 *     request -> call, its choices (call.h) --- queue --->       ith_generate_many: steps of all
 *     response <- wait for changes          <-- choices ---      text, tokens, the end of each
 *
 * HTTP threads read, check and tokenize requests, and write answers at the pace at which the
 * clients read them. They never call the engine. The engine's thread takes choices from the queue,
 * adds each chosen token to its choice, and waits for nobody. The other ranks follow rank 0.
 *
 * A separate thread closes connections that do not send a complete request in time (listener.c).
 *
 *     ith_server_open(world, &params, &server, &err);   listens: GET /health answers 503
 *     ith_engine_open(world, ..., &engine, &err);
 *     ith_server_run(server, engine, &err);             until `goes_on` says no
 *     ith_server_close(server);
 */
#ifndef ITH_SERVE_SERVE_H
#define ITH_SERVE_SERVE_H

#include "ithaca.h"

typedef struct ith_server ith_server;

enum {
    ITH_SERVE_BODY = 4 << 20, /* bytes */
    ITH_SERVE_TOKEN = 16      /* bytes that a token takes in a request, at most */
};

typedef enum ith_server_log {
    ITH_SERVER_LOG_NONE,
    ITH_SERVER_LOG_TEXT,
    ITH_SERVER_LOG_JSON
} ith_server_log;

/* Pointers must live as long as the server. Counts are the same on all ranks. */
typedef struct ith_server_params {
    const char *host; /* a name or an address */
    int port;         /* 0: a free one */
    const char *key;  /* clients must send "Authorization: Bearer KEY"; NULL: none */
    const char
        *allow_host; /* without a key: a further host name that requests may give; NULL: none */

    int sessions;       /* prompts in flight at a time, 1 to ITH_STEP_MOST */
    int waiting;        /* length of the queue; further prompts are answered with 503 */
    int connections;    /* open at a time; beyond that, idle ones are closed first, then new ones */
    int64_t body_bytes; /* longest body of a request; 0: ITH_SERVE_BODY, or ITH_SERVE_TOKEN a token
                         * of the context if that is more */
    int timeout_s;      /* for a client that does not read, and for a request to arrive */

    int max_draft; /* of each prompt, as in ith_generate_params */

    /* Rank 0, any thread: called with a line, without a line end, for each finished request. */
    ith_server_log log;
    void (*write_log)(const char *line);

    const ith_keep_params *keep; /* of all prompts, as in ith_many_params; NULL: none */
    bool (*goes_on)(void *user); /* false: finish what runs, refuse what waits */
    void *user;
} ith_server_params;

/* Collective. Rank 0 listens. Requests are answered with 503 until ith_server_run.
 * Errors: ITH_E_IO: it cannot listen on the address. */
ith_status ith_server_open(ith_world *world, const ith_server_params *params, ith_server **server,
                           ith_error *err);

/* Local, rank 0. "http://127.0.0.1:8080". The text is the server's. */
const char *ith_server_address(const ith_server *server);

/* Local, rank 0. Can anyone who reaches the machine use the server: is there no key, and is the
 * address not a loopback address? */
bool ith_server_is_open(const ith_server *server);

/* Collective. Answers requests until `goes_on` returns false. A failed request does not affect
 * others. Errors: those of ith_generate_many that concern more than one request. */
ith_status ith_server_run(ith_server *server, ith_engine *engine, ith_error *err);

/* Local. Sends complete responses first, as long as clients read them. */
void ith_server_close(ith_server *server);

#endif
