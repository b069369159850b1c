/* terminal.h - the terminal that a user types at, and how rank 0 comes to it.
 *
 * `srun --pty` and a shell give the program the terminal as its standard input. mpirun does not: it
 * reads the terminal itself, passes on to rank 0 what it has read, through a pipe, and takes Ctrl-C
 * as the end of the job. Where mpirun has started rank 0 on its own machine, the terminal can be
 * opened all the same. Rank 0 then writes to it directly, and sets it so that each key is passed on
 * at once and Ctrl-C is a key like others: a thread makes it a SIGINT while no line is edited.
 */
#ifndef ITH_CLI_TERMINAL_H
#define ITH_CLI_TERMINAL_H

#include "base/error.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <termios.h>

enum { ITH_CTRL_C = 3 };

/* Do not move it while it is open. */
typedef struct ith_terminal {
    FILE *in, *out; /* the terminal; NULL: there is none, read standard input */

    /* Where keys come from if not from `in`; -1: they do. */
    int keys;

    /* Behind mpirun: */
    struct termios before; /* how the terminal was set */
    int outputs[2];        /* stdout and stderr as they were; -1: they still are */
    int typed;             /* the pipe's end that the thread writes to */
    pthread_t thread;
    atomic_bool editing; /* Ctrl-C goes to `keys` */
} ith_terminal;

/* Rank 0. A terminal behind mpirun gets stdout and stderr too, if they are mpirun's, so that lines
 * appear in their order. */
void ith_terminal_open(ith_terminal *terminal);

/* Sets it as it was. Accepts {0} with keys -1. */
void ith_terminal_close(ith_terminal *terminal);

#endif
