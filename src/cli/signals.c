/* signals.c - catches the signals that ask the program to stop. */
#include "cli/signals.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

enum { FOLLOWER_PATIENCE_S = 4 };

static volatile sig_atomic_t stop_signal, impatient, deaf;

static void on_signal(int sig)
{
    if (deaf) {
        signal(sig, SIG_DFL);
        raise(sig); /* ends the process when this handler returns */
        return;
    }
    stop_signal = sig;
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    if (impatient)
        alarm(FOLLOWER_PATIENCE_S); /* SIGALRM's default action ends the process */
}

void ith_stop_install(bool leader)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    impatient = !leader;
    deaf = leader;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = leader ? on_signal : SIG_IGN;
    sigaction(SIGUSR1, &action, NULL);
    /* These come back as a failed write: the reader has gone away, or the file exceeds its limit.
     */
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGXFSZ, &action, NULL);
}

void ith_stop_patiently(void)
{
    impatient = 0;
}

int ith_stop_signal(void)
{
    deaf = 0;
    return stop_signal;
}

bool ith_stop_listen(bool listens)
{
    bool before = !deaf;

    deaf = !listens;
    return before;
}
