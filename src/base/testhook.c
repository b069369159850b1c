/* testhook.c - where ITHACA_TEST_HOOK disturbs the program, ITHACA_TEST_STATES and
 * ITHACA_TEST_CLOCK. */
#include "base/testhook.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef struct test_hook {
    char point[16], action[256]; /* point "": unset */
    long long n;
    bool here; /* this rank acts */
    bool acted;
} test_hook;

static test_hook hook;       /* set once, then used by the one thread that meets its point */
static char clock_file[256]; /* set once; "": none */

void ith_test_hook_open(int rank)
{
    const char *text = getenv("ITHACA_TEST_HOOK");
    test_hook h = {.point = ""};
    int at = 0;

    if (text != NULL && sscanf(text, "%15s %lld %255s %d", h.point, &h.n, h.action, &at) < 3)
        h.point[0] = 0;
    h.here = at == rank;
    hook = h;
    text = getenv("ITHACA_TEST_CLOCK");
    snprintf(clock_file, sizeof clock_file, "%s", text != NULL ? text : "");
}

int64_t ith_test_clock_ms(void)
{
    FILE *file = clock_file[0] != 0 ? fopen(clock_file, "re") : NULL;
    long long ms = 0;

    if (file == NULL)
        return 0;
    if (fscanf(file, "%lld", &ms) != 1)
        ms = 0;
    fclose(file);
    return ms;
}

int64_t ith_test_states(int64_t unit, int64_t otherwise)
{
    const char *text = getenv("ITHACA_TEST_STATES");
    long long n = text == NULL ? 0 : strtoll(text, NULL, 10);

    return n > 0 && n % unit == 0 ? n : otherwise;
}

bool ith_test_hook_due(const char *point, int64_t count)
{
    return hook.point[0] != 0 && strcmp(point, hook.point) == 0 && count >= hook.n && !hook.acted;
}

static int find_signal(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = {{"KILL", SIGKILL}, {"TERM", SIGTERM}, {"INT", SIGINT},  {"USR1", SIGUSR1},
                   {"SEGV", SIGSEGV}, {"BUS", SIGBUS},   {"STOP", SIGSTOP}};

    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        if (strcmp(name, signals[i].name) == 0)
            return signals[i].number;
    return 0;
}

/* Is the action's file empty, some milliseconds later? */
static bool wait_for_file(void)
{
    const struct timespec some_ms = {.tv_nsec = 5000000};
    struct stat file;

    nanosleep(&some_ms, NULL);
    return stat(hook.action, &file) == 0 && file.st_size == 0;
}

static void create_file(void)
{
    int fd = open(hook.action, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
    if (fd >= 0)
        close(fd);
}

bool ith_test_hook_holds(const char *point)
{
    if (hook.point[0] == 0 || strcmp(point, hook.point) != 0 || !hook.here || hook.action[0] != '/')
        return false;
    create_file();
    return wait_for_file();
}

bool ith_test_hook_act(void)
{
    bool first = !hook.acted;

    hook.acted = true;
    if (!hook.here)
        return false;
    if (hook.action[0] != '/') {
        raise(find_signal(hook.action)); /* 0 sends nothing */
        return false;
    }
    if (first)
        create_file();
    return wait_for_file();
}

bool ith_test_hook_fails(const char *point, int64_t count)
{
    if (!ith_test_hook_due(point, count) || strcmp(hook.action, "FAIL") != 0)
        return false;
    hook.acted = true;
    return hook.here;
}
