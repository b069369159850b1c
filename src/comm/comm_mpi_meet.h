/* comm_mpi_meet.h - ranks meet: are they the same build? */
#ifndef ITH_COMM_MPI_MEET_H
#define ITH_COMM_MPI_MEET_H

#include "base/error.h"

/* Collective over MPI's world, before any other message; only where Ithaca started MPI, because a
 * program's own receives could take the messages. `build` is ith_build_id(). ITH_E_COMM on all
 * ranks: one of them is another build. A program without this meeting is known after a second by
 * another first message, or because it does not answer: on one machine within a second, between
 * machines rank 0 within ten and others within twelve. The rank that waits for it says so and ends
 * all. */
ith_status ith_mpi_meet(const char *build, ith_error *err);

#endif
