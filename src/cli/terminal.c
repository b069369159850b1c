/* terminal.c - finds the terminal, also behind mpirun. */
#include "cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Is the parent Open MPI's mpirun, under any of its names? */
static bool is_under_mpirun(void)
{
    static const char *const names[] = {"mpirun\n",  "mpiexec\n",        "orterun\n",
                                        "prterun\n", "mpirun.openmpi\n", "mpiexec.openmpi\n"};
    char path[64], name[32] = "";
    FILE *file;
    bool found = false;

    snprintf(path, sizeof path, "/proc/%ld/comm", (long)getppid());
    if (getenv("OMPI_COMM_WORLD_RANK") == NULL || (file = fopen(path, "re")) == NULL)
        return false;
    if (fgets(name, sizeof name, file) == NULL)
        name[0] = '\0';
    fclose(file);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        found |= strcmp(name, names[i]) == 0;
    return found;
}

/* Opens what a descriptor of the parent is, if it is our session's terminal. -1: it is not. */
static int open_of_parent(int number)
{
    char path[64];
    int fd;

    snprintf(path, sizeof path, "/proc/%ld/fd/%d", (long)getppid(), number);
    fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 && isatty(fd) && tcgetsid(fd) == getsid(0))
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Sends what is printed to where the parent prints, if that is the terminal. Returns what it was
 * before: mpirun would take its end for the end of the process. */
static int redirect(int number)
{
    int fd = open_of_parent(number), before;

    if (fd < 0)
        return -1;
    fflush(number == STDOUT_FILENO ? stdout : stderr);
    before = fcntl(number, F_DUPFD_CLOEXEC, 0);
    if (before >= 0 && dup2(fd, number) < 0) {
        close(before);
        before = -1;
    }
    close(fd);
    return before;
}

static void restore(int number, int before)
{
    if (before < 0)
        return;
    fflush(number == STDOUT_FILENO ? stdout : stderr);
    dup2(before, number);
    close(before);
}

/* ---- Keys that mpirun passes on ---- */

/* The thread: Ctrl-C outside a line is a signal, all else waits to be read. */
static void *pass_keys(void *user)
{
    ith_terminal *t = user;
    char key;
    ssize_t n;

    while ((n = read(STDIN_FILENO, &key, 1)) == 1 || (n < 0 && errno == EINTR))
        if (n == 1 && key == ITH_CTRL_C && !atomic_load(&t->editing))
            kill(getpid(), SIGINT);
        else if (n == 1 && write(t->typed, &key, 1) < 0 && errno != EAGAIN)
            break;
    close(t->typed);
    return NULL;
}

/* Signals are the main thread's, whose read they interrupt. */
static bool start_thread(ith_terminal *t)
{
    sigset_t all, before;
    bool good;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    good = pthread_create(&t->thread, NULL, pass_keys, t) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return good;
}

/* Keys come one by one, unseen, and none is a signal. mpirun's processes are in the background for
 * the terminal, which may set it if they ignore SIGTTOU. */
static bool set_keys(ith_terminal *t, int fd)
{
    struct termios raw;

    if (tcgetattr(fd, &t->before) != 0)
        return false;
    raw = t->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    signal(SIGTTOU, SIG_IGN);
    return tcsetattr(fd, TCSADRAIN, &raw) == 0;
}

static void close_streams(ith_terminal *t)
{
    if (t->in != NULL)
        fclose(t->in);
    if (t->out != NULL)
        fclose(t->out);
    t->in = t->out = NULL;
}

/* Takes fd over, also after a failure. */
static bool open_streams(ith_terminal *t, int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    t->in = fdopen(fd, "r");
    t->out = copy >= 0 ? fdopen(copy, "w") : NULL;
    if (t->in == NULL)
        close(fd);
    if (t->out == NULL && copy >= 0)
        close(copy);
    if (t->in != NULL && t->out != NULL)
        return true;
    close_streams(t);
    return false;
}

/* The thread, and the pipe through which it passes keys on. */
static bool open_keys(ith_terminal *t)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    t->keys = ends[0];
    t->typed = ends[1];
    if (start_thread(t))
        return true;
    close(ends[0]);
    close(ends[1]);
    t->keys = -1;
    return false;
}

/* If anything fails, standard input is read as it is. */
static void open_behind_mpirun(ith_terminal *t)
{
    int fd = open_of_parent(STDIN_FILENO);

    if (fd >= 0 && tcgetpgrp(fd) != getpgid(getppid())) {
        close(fd); /* mpirun is in the background, and reads nothing */
        return;
    }
    if (fd < 0 || !open_streams(t, fd))
        return;
    if (!set_keys(t, fd)) {
        close_streams(t);
        return;
    }
    if (!open_keys(t)) {
        tcsetattr(fd, TCSADRAIN, &t->before);
        close_streams(t);
        return;
    }
    t->outputs[0] = redirect(STDOUT_FILENO);
    t->outputs[1] = redirect(STDERR_FILENO);
}

/* ---- */

void ith_terminal_open(ith_terminal *t)
{
    t->in = t->out = NULL;
    t->keys = -1;
    atomic_init(&t->editing, false);
    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
        t->in = stdin;
        t->out = stdout;
    } else if (!isatty(STDIN_FILENO) && is_under_mpirun()) {
        open_behind_mpirun(t);
    }
}

void ith_terminal_close(ith_terminal *t)
{
    if (t->keys < 0)
        return;
    pthread_cancel(t->thread);
    pthread_join(t->thread, NULL);
    restore(STDOUT_FILENO, t->outputs[0]);
    restore(STDERR_FILENO, t->outputs[1]);
    tcsetattr(fileno(t->in), TCSADRAIN, &t->before);
    close_streams(t);
    close(t->keys);
    t->keys = -1;
}
