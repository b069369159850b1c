/* RANKS: 2 3 4
 *
 * test_joined_parcels.c - consecutive parcels of one rank travel together: the same bytes arrive in
 * fewer messages.
 */
#include "tests/check.h"

#include "comm/comm_mpi_open.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_RANKS = 4, EACH = 600, SMALL = 900, GAP = 7, JOINED = 20000 };

/* Of parcel i from s to d: some empty, one larger than a message of several. */
static int64_t size_of(int s, int d, int i)
{
    return i == 100 ? JOINED + 1 : (i * 37 + s * 5 + d * 11) % SMALL * (i % 9 > 0);
}

static uint8_t byte_of(int s, int d, int i, int64_t at)
{
    return (uint8_t)(s * 31 + d * 101 + i * 7 + at * 3 + 1);
}

/* All parcels one way, with gaps between them; returns the end of their buffer. */
static int64_t lay_out(const ith_comm *comm, bool send, uint8_t *buf, ith_parcel *list, int64_t *n)
{
    int64_t at = 0;

    for (int r = 0; r < comm->size; r++)
        for (int i = 0; r != comm->rank && i < EACH; i++) {
            int s = send ? comm->rank : r, d = send ? r : comm->rank;
            list[(*n)++] = (ith_parcel){r, buf + at, size_of(s, d, i)};
            for (int64_t k = 0; send && k < size_of(s, d, i); k++)
                buf[at + k] = byte_of(s, d, i, k);
            at += size_of(s, d, i) + GAP;
        }
    return at;
}

static bool arrived(const ith_comm *comm, const uint8_t *buf)
{
    for (int r = 0; r < comm->size; r++)
        for (int i = 0; r != comm->rank && i < EACH; i++) {
            for (int64_t k = 0; k < size_of(r, comm->rank, i); k++)
                if (*buf++ != byte_of(r, comm->rank, i, k))
                    return false;
            for (int k = 0; k < GAP; k++)
                if (*buf++ != 0xee)
                    return false;
        }
    return true;
}

/* Messages that the exchange took, sent by this rank. */
static int64_t exchange(ith_comm *comm, int64_t joined)
{
    static ith_parcel sends[MAX_RANKS * EACH], recvs[MAX_RANKS * EACH];
    const size_t room = (size_t)MAX_RANKS * (EACH * (SMALL + GAP) + JOINED + 1);
    uint8_t *out = malloc(room), *in = malloc(room);
    int64_t n_sends = 0, n_recvs = 0, before = comm->stats.messages;

    CHECK(comm, out != NULL && in != NULL);
    memset(in, 0xee, room);
    lay_out(comm, true, out, sends, &n_sends);
    lay_out(comm, false, in, recvs, &n_recvs);
    comm->joined = joined;
    ith_comm_messages(comm, sends, n_sends, recvs, n_recvs);
    CHECK(comm, arrived(comm, in));
    comm->ops->barrier(comm);
    free(out);
    free(in);
    return comm->stats.messages - before;
}

static void fewer_messages(ith_comm *comm)
{
    int64_t others = comm->size - 1, alone = exchange(comm, 0), together = exchange(comm, JOINED);

    CHECK(comm, alone > others * EACH * 8 / 10); /* empty ones are none */
    CHECK(comm, together > others * 10 && together < others * 20);
    CASE_OK(comm);
}

static void no_larger_than_a_message(ith_comm *comm)
{
    static const ith_mpi_options short_messages = {.message_bytes = 1000};
    ith_comm *cut;

    CHECK(comm, ith_comm_open_mpi(&short_messages, &cut, NULL) == ITH_OK);
    CHECK(comm, exchange(cut, JOINED) < exchange(cut, 0));
    ith_comm_close(cut);
    CASE_OK(comm);
}

int main(void)
{
    static const ith_mpi_options options = {.message_bytes = 1 << 30};
    ith_comm *comm;
    ith_error err;

    if (ith_comm_open_mpi(&options, &comm, &err) != ITH_OK) {
        printf("not ok open: %s\n", err.text);
        return 1;
    }
    fewer_messages(comm);
    no_larger_than_a_message(comm);
    ith_comm_close(comm);
    return 0;
}
