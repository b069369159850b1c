/* single_copy.h - may one rank read another's memory? Open MPI sends large messages within a
 * machine that way (CMA, process_vm_readv(2)). Where the system refuses it (seccomp in containers,
 * a program that may not be read), Open MPI 4 prints a message for each. */
#ifndef ITH_COMM_SINGLE_COPY_H
#define ITH_COMM_SINGLE_COPY_H

/* To be called before MPI starts. Tries it with a child process; if it is refused, tells Open MPI
 * not to, unless the user has decided, and returns a text for the user. NULL: nothing to say. */
const char *ith_single_copy_check(void);

#endif
