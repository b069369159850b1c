/* listener.c - listens, and closes connections that send no request in time, or nothing while there
 * are too many. */
#include "base/error.h"
#include "serve/clock.h"
#include "serve/visit.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    HEADER_BYTES = 32 << 10, /* of a request, and MHD's buffer for its connection */
    STACK_BYTES = 8 << 20,   /* as the main thread has: chat templates are nested */
    WATCH_MS = 250,
    BEING_CLOSED = 64,   /* connections that may be there beside those that are allowed */
    LAST_WORDS_MS = 5000 /* when the server ends, for clients to read their responses */
};

/* ---- Guests: connections, and since when they owe a request ----
 *
 * A header has to come within --timeout of the response before it, or of the connection's
 * beginning; the rest of a request within --timeout of its header. Silence between two requests is
 * no fault of the second one. */

static ith_guest *guest_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

static void owes_since(const ith_visit *x, int64_t since, bool busy)
{
    ith_guest *g = guest_of(x->connection);

    if (g == NULL)
        return;
    pthread_mutex_lock(&x->server->guests_lock);
    g->since = since;
    g->busy = busy;
    pthread_mutex_unlock(&x->server->guests_lock);
}

void ith_guest_begins(const ith_visit *x)
{
    owes_since(x, ith_now_ms(), true);
}

void ith_guest_arrives(const ith_visit *x)
{
    owes_since(x, 0, true);
}

void ith_guest_leaves(const ith_visit *x)
{
    owes_since(x, ith_now_ms(), false);
}

/* With the lock. Its thread finds the connection closed, and ends it. */
static void shut_up(ith_server *server, ith_guest *g)
{
    if (g->shut_up)
        return;
    g->shut_up = true;
    server->n_guests--;
    shutdown(g->fd, SHUT_RDWR);
}

/* With the lock. Of the connections without a request, the one that has been so for longest, which
 * may be the one that has just come: others may sit there for nothing. */
static ith_guest *idlest(const ith_server *server)
{
    ith_guest *found = NULL;

    for (ith_guest *g = server->guests; g != NULL; g = g->next)
        if (!g->busy && !g->shut_up && (found == NULL || g->since <= found->since))
            found = g;
    return found;
}

static void enter(ith_server *server, struct MHD_Connection *connection, void **context)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    ith_guest *g = calloc(1, sizeof *g);

    *context = g;
    if (g == NULL) {
        shutdown(info->connect_fd, SHUT_RDWR); /* nobody would watch it */
        return;
    }
    g->fd = info->connect_fd;
    g->since = ith_now_ms();
    pthread_mutex_lock(&server->guests_lock);
    g->next = server->guests;
    if (g->next != NULL)
        g->next->prev = g;
    server->guests = g;
    if (++server->n_guests > server->params.connections)
        shut_up(server, idlest(server));
    pthread_mutex_unlock(&server->guests_lock);
}

static void go(ith_server *server, ith_guest *g)
{
    if (g == NULL)
        return;
    pthread_mutex_lock(&server->guests_lock);
    *(g->prev != NULL ? &g->prev->next : &server->guests) = g->next;
    if (g->next != NULL)
        g->next->prev = g->prev;
    server->n_guests -= !g->shut_up;
    pthread_mutex_unlock(&server->guests_lock);
    free(g);
}

/* An MHD_NotifyConnectionCallback. The end is told before the socket is closed. */
static void notify(void *user, struct MHD_Connection *connection, void **context,
                   enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        enter(user, connection, context);
        return;
    }
    go(user, *context);
    *context = NULL;
}

/* A thread. It also frees what the engine's thread leaves to it. */
static void *watch(void *user)
{
    ith_server *server = user;
    int64_t most = (int64_t)server->params.timeout_s * 1000, next = ith_now_ms();

    pthread_mutex_lock(&server->guests_lock);
    while (!server->watch_ends) {
        int64_t now = ith_now_ms();
        for (ith_guest *g = server->guests; g != NULL && now >= next; g = g->next)
            if (g->since > 0 && now - g->since >= most)
                shut_up(server, g);
        next = now >= next ? now + WATCH_MS : next;
        pthread_mutex_unlock(&server->guests_lock);
        ith_queue_bury(&server->queue);
        pthread_mutex_lock(&server->guests_lock);
        if (!server->watch_ends)
            ith_wait_until(&server->guests_end, &server->guests_lock, next);
    }
    pthread_mutex_unlock(&server->guests_lock);
    return NULL;
}

static ith_status begin_watch(ith_server *server, ith_error *err)
{
    pthread_mutex_init(&server->guests_lock, NULL);
    ith_cond_open(&server->guests_end);
    server->watches = pthread_create(&server->watcher, NULL, watch, server) == 0;
    if (server->watches)
        return ITH_OK;
    pthread_cond_destroy(&server->guests_end);
    pthread_mutex_destroy(&server->guests_lock);
    return ith_fail(err, ITH_E_MEMORY, "no thread for watching connections");
}

static void end_watch(ith_server *server)
{
    if (!server->watches)
        return;
    pthread_mutex_lock(&server->guests_lock);
    server->watch_ends = true;
    pthread_cond_signal(&server->guests_end);
    pthread_mutex_unlock(&server->guests_lock);
    pthread_join(server->watcher, NULL);
    pthread_cond_destroy(&server->guests_end);
    pthread_mutex_destroy(&server->guests_lock);
}

/* ---- Listening ---- */

/* The first address that can be listened at. */
static int listen_at(const struct addrinfo *at)
{
    const int on = 1;

    for (; at != NULL; at = at->ai_next) {
        int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol), error;
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
            return fd;
        error = errno;
        close(fd);
        errno = error;
    }
    return -1;
}

static bool is_loopback(const struct sockaddr_storage *at)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)at;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)at;

    if (at->ss_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    return at->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static void write_address(ith_server *server)
{
    struct sockaddr_storage at = {0};
    socklen_t len = sizeof at;
    const char *host = server->params.host;
    bool v6 = strchr(host, ':') != NULL;
    int port = 0;

    if (getsockname(server->listener, (struct sockaddr *)&at, &len) == 0)
        port = ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
                                              : ((struct sockaddr_in *)&at)->sin_port);
    server->is_local = is_loopback(&at);
    snprintf(server->address, sizeof server->address, "http://%s%.250s%s:%d", v6 ? "[" : "", host,
             v6 ? "]" : "", port);
}

static ith_status open_listener(ith_server *server, ith_error *err)
{
    const struct addrinfo want = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    const ith_server_params *p = &server->params;
    struct addrinfo *found = NULL;
    char port[16];
    int code;

    snprintf(port, sizeof port, "%d", p->port);
    code = getaddrinfo(p->host, port, &want, &found);
    if (code != 0)
        return ith_fail(err, ITH_E_IO, "%s is no address: %s", p->host, gai_strerror(code));
    server->listener = listen_at(found);
    code = errno;
    freeaddrinfo(found);
    if (server->listener < 0)
        return ith_fail(err, ITH_E_IO, "cannot listen on %s port %d: %s", p->host, p->port,
                        strerror(code));
    write_address(server);
    return ITH_OK;
}

/* Of an address. One with a %00 in it stays as it is, and is unknown: it would end there. */
static size_t unescape(void *user, struct MHD_Connection *connection, char *text)
{
    (void)user;
    (void)connection;
    return strstr(text, "%00") != NULL ? strlen(text) : MHD_http_unescape(text);
}

ith_status ith_listener_open(ith_server *server, ith_error *err)
{
    const ith_server_params *p = &server->params;

    ITH_TRY(open_listener(server, err));
    ITH_TRY(begin_watch(server, err));
    server->http = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL |
            MHD_USE_ITC,
        0, NULL, NULL, ith_visit_handle, server, MHD_OPTION_LISTEN_SOCKET, server->listener,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)(p->connections + BEING_CLOSED),
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)p->timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HEADER_BYTES, MHD_OPTION_THREAD_STACK_SIZE, (size_t)STACK_BYTES,
        MHD_OPTION_NOTIFY_COMPLETED, ith_visit_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION,
        notify, server, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_UNESCAPE_CALLBACK,
        unescape, NULL, MHD_OPTION_END);
    if (server->http == NULL)
        return ith_fail(err, ITH_E_IO, "the HTTP threads of %s cannot be started", server->address);
    return ITH_OK;
}

void ith_listener_close(ith_server *server)
{
    const struct timespec a_moment = {.tv_nsec = 10000000};
    bool busy = true;

    if (server->http != NULL) {
        MHD_quiesce_daemon(server->http);
        for (int ms = 0; busy && ms < LAST_WORDS_MS; ms += 10) {
            pthread_mutex_lock(&server->lock);
            busy = server->exchanges > 0;
            pthread_mutex_unlock(&server->lock);
            if (busy)
                nanosleep(&a_moment, NULL);
        }
        MHD_stop_daemon(server->http);
    }
    end_watch(server);
    if (server->listener >= 0)
        close(server->listener);
}
