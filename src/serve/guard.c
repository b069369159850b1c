/* guard.c - who may ask: whoever has the key; without a key everyone but web pages from elsewhere.
 *
 * A browser sends what any page tells it to, to addresses of this machine too. Two headers tell:
 * `Origin` names the page's site; `Host` is the name under which the browser knows the server, and
 * a site can make a name of its own point to any address (DNS rebinding).
 */
#include "serve/visit.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const char *header(const ith_visit *x, const char *name)
{
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

/* ---- The key ---- */

/* In a time that depends on the length of `given` alone. */
static bool is_key(const char *given, const char *key)
{
    size_t n = strlen(given), n_key = strlen(key);
    unsigned char differs = n != n_key;

    for (size_t i = 0; i < n; i++)
        differs |= (unsigned char)(given[i] ^ key[n_key > 0 ? i % n_key : 0]);
    return differs == 0;
}

bool ith_guard_key(const ith_visit *x)
{
    static const char bearer[] = "Bearer ";
    const char *given = header(x, MHD_HTTP_HEADER_AUTHORIZATION);

    if (x->server->params.key == NULL)
        return true;
    return given != NULL && strncasecmp(given, bearer, strlen(bearer)) == 0 &&
           is_key(given + strlen(bearer), x->server->params.key);
}

/* ---- The name ---- */

/* The name of a Host header, "NAME:PORT" or "[ADDRESS]:PORT". */
static void name_in(const char *host, char name[256])
{
    bool v6 = host[0] == '[';
    size_t n = strcspn(host + v6, v6 ? "]" : ":");

    snprintf(name, 256, "%.*s", (int)(n < 255 ? n : 255), host + v6);
}

static bool is_address(const char *name)
{
    unsigned char bytes[16];

    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/* The machine's name, whole or up to the first dot. */
static bool is_machine(const char *name)
{
    char host[256] = "";

    if (gethostname(host, sizeof host - 1) != 0)
        return false;
    if (strcasecmp(name, host) == 0)
        return true;
    host[strcspn(host, ".")] = 0;
    return strcasecmp(name, host) == 0;
}

/* Names that nobody else can make point here. */
static bool is_own_name(const ith_visit *x, const char *host)
{
    const char *allowed = x->server->params.allow_host;
    char name[256];

    name_in(host, name);
    if (allowed != NULL && strcasecmp(name, allowed) == 0)
        return true;
    return is_address(name) || strcasecmp(name, "localhost") == 0 ||
           strcasecmp(name, x->server->params.host) == 0 || is_machine(name);
}

static bool is_same_site(const char *origin, const char *host)
{
    const char *at = strstr(origin, "://");
    return host != NULL && at != NULL && strcasecmp(at + 3, host) == 0;
}

bool ith_guard_site(const ith_visit *x, const char **why)
{
    const char *host = header(x, MHD_HTTP_HEADER_HOST), *origin = header(x, MHD_HTTP_HEADER_ORIGIN);

    *why = NULL;
    if (x->server->params.key != NULL)
        return true;
    if (host != NULL && !is_own_name(x, host))
        *why = "without an API key the server is reached by its address, by localhost, by the "
               "machine's name, or by those of --host and --allow-host";
    else if (origin != NULL && !is_same_site(origin, host))
        *why = "without an API key the server answers no web pages but its own";
    return *why == NULL;
}
