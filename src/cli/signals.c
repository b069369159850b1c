/* signals.c - catches the signals that ask the program to stop. */
#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

enum {
    PATIENCE_S = 4,
    CONTINUED_NS = 50000000, /* a signal sent with the end of the input has come by then */
    LAUNCHER_S = 5           /* more than a launcher takes to end its ranks */
};

static volatile sig_atomic_t stop_signal, impatient, deaf, continued;
static bool leads;
static int restarts = SA_RESTART;
static int woken[2] = {-1, -1}; /* a pipe: on_signal writes, ith_stop_wait reads */

static void on_signal(int sig)
{
    int error = errno;

    if (deaf) {
        signal(sig, SIG_DFL);
        raise(sig); /* ends the process when this handler returns */
        return;
    }
    stop_signal = sig;
    if (woken[1] >= 0 && write(woken[1], "", 1) < 0)
        errno = 0; /* the pipe is full: there is enough to read */
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    if (impatient)
        alarm(PATIENCE_S); /* which ends the process */
    errno = error;
}

/* Nobody has looked: as if nobody had listened. */
static void on_alarm(int sig)
{
    (void)sig;
    signal(stop_signal, SIG_DFL);
    raise(stop_signal);
}

static void on_continue(int sig)
{
    (void)sig;
    continued = 1;
}

static void catch_stops(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = restarts};

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void ith_stop_install(bool leader)
{
    struct sigaction action = {.sa_flags = SA_RESTART};

    leads = leader;
    impatient = !leader;
    deaf = leader;
    catch_stops();
    sigemptyset(&action.sa_mask);
    action.sa_handler = leader ? on_signal : SIG_IGN;
    sigaction(SIGUSR1, &action, NULL);
    action.sa_handler = on_continue;
    sigaction(SIGCONT, &action, NULL);
    /* These come back as a failed write: the reader has gone away, or the file exceeds its limit.
     */
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGXFSZ, &action, NULL);
}

void ith_stop_after_input(void)
{
    const struct timespec a_moment = {.tv_nsec = CONTINUED_NS};

    if (!continued)
        nanosleep(&a_moment, NULL);
    if (continued)
        sleep(LAUNCHER_S); /* SIGTERM ends the process, as long as nobody listens */
}

void ith_stop_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    restarts = 0;
    if (woken[0] < 0 && pipe2(woken, O_CLOEXEC | O_NONBLOCK) != 0)
        woken[0] = woken[1] =
            -1; /* poll then ends with EINTR, unless a signal comes right before */
    catch_stops();
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, &action, NULL);
}

static void empty_pipe(void)
{
    char bytes[16];

    while (woken[0] >= 0 && read(woken[0], bytes, sizeof bytes) > 0)
        ;
}

void ith_stop_forget(void)
{
    stop_signal = 0;
    catch_stops();
}

bool ith_stop_wait(int fd)
{
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN}, {.fd = woken[0], .events = POLLIN}};
    int n;

    do {
        empty_pipe(); /* a byte is written after stop_signal is set, which is looked at next */
        if (stop_signal != 0)
            return false;
        n = poll(fds, 2, -1); /* ignores a negative fd */
    } while ((n < 0 && errno == EINTR) || (n > 0 && fds[0].revents == 0));
    return true;
}

void ith_stop_patiently(void)
{
    impatient = 0;
}

void ith_stop_soon(void)
{
    struct sigaction action = {.sa_handler = on_alarm};

    if (!leads)
        return;
    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    impatient = 1;
}

int ith_stop_signal(void)
{
    deaf = 0;
    if (stop_signal != 0 && leads)
        alarm(0);
    return stop_signal;
}

bool ith_stop_listen(bool listens)
{
    bool before = !deaf;

    deaf = !listens;
    return before;
}
