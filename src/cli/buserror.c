/* buserror.c - explains SIGBUS.
 *
 * What runs in the handler is async-signal-safe (signal-safety(7)): no stdio, no allocation. */
#include "cli/buserror.h"

#include "cli/command.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char said_first[48]; /* "ithaca: error: rank 2: ", made before any signal */

/* ---- The file that is mapped at an address, from /proc/self/maps ---- */

typedef struct maps {
    int fd;
    size_t at, n;
    char bytes[1024];
} maps;

static int next_char(maps *m) /* -1: no more */
{
    if (m->at == m->n) {
        ssize_t n = read(m->fd, m->bytes, sizeof m->bytes);
        if (n <= 0)
            return -1;
        m->at = 0;
        m->n = (size_t)n;
    }
    return (unsigned char)m->bytes[m->at++];
}

/* A hexadecimal number and the character after it. */
static uintptr_t next_number(maps *m)
{
    uintptr_t x = 0;

    for (int c = next_char(m);; c = next_char(m)) {
        if (c >= '0' && c <= '9')
            x = x * 16 + (uintptr_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            x = x * 16 + (uintptr_t)(c - 'a' + 10);
        else
            return x;
    }
}

/* The rest of the line from its first slash on; true if there is one. */
static bool next_path(maps *m, char *path, size_t room, bool *more)
{
    size_t n = 0;
    int c;

    while ((c = next_char(m)) != -1 && c != '\n')
        if ((n > 0 || c == '/') && n + 1 < room)
            path[n++] = (char)c;
    path[n] = 0;
    *more = c != -1;
    return n > 0;
}

static bool find_file(uintptr_t address, char *path, size_t room)
{
    maps m = {.fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC)};
    bool found = false, more = m.fd >= 0;

    while (more && !found) {
        uintptr_t begin = next_number(&m), end = next_number(&m);
        bool is_file = next_path(&m, path, room, &more);
        found = is_file && address >= begin && address < end;
    }
    if (m.fd >= 0)
        close(m.fd);
    return found;
}

/* ---- */

static size_t append(char *text, size_t used, size_t room, const char *more)
{
    size_t n = strlen(more);

    n = n < room - used ? n : room - used;
    memcpy(text + used, more, n);
    return used + n;
}

static void on_bus_error(int sig, siginfo_t *info, void *context)
{
    char path[1024], text[1300];
    size_t n = 0;

    (void)context;
    if (info->si_code <= 0 || !find_file((uintptr_t)info->si_addr, path, sizeof path)) {
        signal(sig, SIG_DFL); /* another cause: the signal comes again and ends the process */
        raise(sig);
        return;
    }
    n = append(text, n, sizeof text, said_first);
    n = append(text, n, sizeof text, path);
    n = append(text, n, sizeof text,
               ": the mapped file can no longer be read: was it cut short or overwritten while in "
               "use, or is the disk failing?\n");
    if (write(STDERR_FILENO, text, n) < 0)
        _exit(ITH_EXIT_FAILED); /* nobody can be told */
    _exit(ITH_EXIT_FAILED);     /* without MPI_Finalize: mpirun ends the other ranks */
}

void ith_buserror_install(int rank, int size)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};

    if (size > 1)
        snprintf(said_first, sizeof said_first, "ithaca: error: rank %d: ", rank);
    else
        snprintf(said_first, sizeof said_first, "ithaca: error: ");
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}
