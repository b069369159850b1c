/* single_copy.c - finds out whether process_vm_readv works. */
#include "comm/single_copy.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char variable[] = "OMPI_MCA_btl_vader_single_copy_mechanism";

/* Reads a word of a child, as one rank reads another; a parent may read where Yama lets only
 * ancestors do so, and Open MPI itself asks Yama for more. */
static bool is_refused(void)
{
    static int word = 1;
    int copy = 0, why;
    struct iovec to = {&copy, sizeof copy}, from = {&word, sizeof word};
    pid_t child = fork();
    ssize_t n;

    if (child < 0)
        return false; /* not known */
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    n = process_vm_readv(child, &to, 1, &from, 1, 0);
    why = errno;
    kill(child, SIGKILL);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        continue;
    return n < 0 && (why == EPERM || why == ENOSYS || why == EACCES);
}

const char *ith_single_copy_check(void)
{
    if (getenv(variable) != NULL || access("/dev/xpmem", R_OK | W_OK) == 0 ||
        access("/dev/knem", R_OK | W_OK) == 0 || !is_refused())
        return NULL;
    setenv(variable, "none", 0);
    setenv("OMPI_MCA_smsc", "^cma", 0); /* Open MPI 5 */
    return "the system does not let ranks read each other's memory (process_vm_readv), so large "
           "messages within a machine are copied twice; containers allow it with CAP_SYS_PTRACE";
}
