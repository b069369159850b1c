/* transfer.h - several requests with patience: a few at a time, each repeated after a pause where
 * that may help.
 *
 * A connection that breaks, and an answer of status 408, 429 or 500 to 504, is tried again after
 * 0.5 s, then twice as long each time, or when the server says (Retry-After). Five attempts without
 * progress end it; a megabyte is progress.
 */
#ifndef ITH_HUB_TRANSFER_H
#define ITH_HUB_TRANSFER_H

#include "hub/http.h"

/* What a transfer's `prepare` found out. */
typedef enum ith_ready {
    ITH_READY_SEND, /* send the request */
    ITH_READY_BUSY, /* call again at once: there is more to do */
    ITH_READY_WAIT, /* call again soon: something else has to end first */
    ITH_READY_DONE, /* nothing has to be sent (any more) */
    ITH_READY_FAILED
} ith_ready;

typedef struct ith_transfer {
    const char *url, *what; /* `what` it is about, for messages */
    bool head;

    /* Called before each attempt. *from: bytes that are there already. NULL: send at once. */
    ith_ready (*prepare)(void *user, int64_t *from, ith_error *err);
    ith_http_receiver receive;

    /* Called after an attempt that the server has answered in full, and after one that `receive`
     * has ended: that must fail. *again: once more, after `prepare`. */
    ith_status (*finish)(void *user, const ith_http_reply *reply, bool *again, ith_error *err);
    void *user;

    /* ---- Zeroed by the caller ---- */
    ith_http_request *request;
    bool begun, done;
    double due_s; /* when to go on */
    int attempts; /* that failed, one after another */
} ith_transfer;

/* Called several times per second. False: stop. */
typedef bool (*ith_transfer_tick)(void *user);

/* Runs n transfers, at most at_once of them at a time, in their order. The first that fails ends
 * all. Errors: ITH_E_CANCELLED: tick returned false; ITH_E_IO: the hub cannot be reached, or
 * refuses; those of `prepare` and `finish`; ITH_E_MEMORY. */
ith_status ith_transfers_run(ith_http *http, const ith_hub_settings *settings,
                             ith_transfer *transfers, size_t n, int at_once, ith_transfer_tick tick,
                             void *user, ith_error *err);

#endif
