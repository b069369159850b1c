/* launcher.c - has the launcher that set this environment ended? */
#include "comm/comm_open.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECT_MS = 1000 };

/* Is a connection refused, or not answered? Only a clear no counts. */
static bool is_refused(const struct sockaddr_in *to)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = 0;
    socklen_t size = sizeof error;
    struct pollfd out = {.fd = fd, .events = POLLOUT};

    if (fd < 0)
        return false;
    if (connect(fd, (const struct sockaddr *)to, sizeof *to) != 0) {
        error = errno;
        if (error == EINPROGRESS && poll(&out, 1, CONNECT_MS) == 1)
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
    close(fd);
    return error == ECONNREFUSED;
}

/* "NAMESPACE.RANK;tcp4://ADDRESS:PORT", of a server on this machine. */
static bool read_uri(const char *uri, struct sockaddr_in *to)
{
    const char *at = strstr(uri, "tcp4://"), *colon = at != NULL ? strrchr(at + 7, ':') : NULL;
    char address[16];

    if (colon == NULL || colon - (at + 7) >= (ptrdiff_t)sizeof address)
        return false;
    memcpy(address, at + 7, (size_t)(colon - (at + 7)));
    address[colon - (at + 7)] = 0;
    *to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(colon + 1))};
    return inet_pton(AF_INET, address, &to->sin_addr) == 1;
}

static bool pmix_is_gone(const char *(*get)(const char *name), char *gone, size_t size)
{
    static const char *const names[] = {"PMIX_SERVER_URI41", "PMIX_SERVER_URI4", "PMIX_SERVER_URI3",
                                        "PMIX_SERVER_URI21", "PMIX_SERVER_URI2"};
    struct sockaddr_in to;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (get(names[i]) != NULL && read_uri(get(names[i]), &to)) {
            snprintf(gone, size, "%s %.60s", names[i], strstr(get(names[i]), "tcp4://"));
            return is_refused(&to);
        }
    return false;
}

static bool pmi_is_gone(const char *(*get)(const char *name), char *gone, size_t size)
{
    const char *fd = get("PMI_FD");

    if (fd == NULL)
        return false;
    snprintf(gone, size, "PMI_FD %.20s", fd);
    return fcntl(atoi(fd), F_GETFD) < 0 && errno == EBADF;
}

bool ith_comm_launcher_is_gone(const char *(*get)(const char *name), char *gone, size_t size)
{
    return pmix_is_gone(get, gone, size) || pmi_is_gone(get, gone, size);
}
