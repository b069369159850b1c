/* blob.h - downloads one file of a repository into the cache.
 *
 * What has come lies in blobs/DIGEST.incomplete, and stays there when the download ends early: the
 * next one reads it for the checksum and asks for the rest. When all is there and the checksum is
 * right, it becomes blobs/DIGEST. Meanwhile the lock of hub_cache.h is held, so that of several
 * downloads at the same time one works and the others wait.
 *
 * Where the file system has no such locks (Lustre, unless it is mounted with them), several may
 * work at the same time. So what has come lies in a file of the process's own, which another
 * could not continue and which is removed when the download ends early.
 */
#ifndef ITH_HUB_BLOB_H
#define ITH_HUB_BLOB_H

#include "base/digest.h"
#include "hub/listing.h"

typedef struct ith_blob {
    const ith_hub_file *file;
    char *what;                  /* "ORG/NAME: FILE", for messages */
    char *path, *partial, *lock; /* blobs/DIGEST, blobs/DIGEST.incomplete, its lock */
    int fd, lock_fd;             /* -1: closed */
    bool alone;                  /* there are no locks: `partial` is this process's own */
    ith_digester *digester;      /* of the first `done` bytes */
    int64_t done;                /* bytes that are on disk and in the digester */
    int64_t found;               /* of them, those that an earlier download has left */
    int64_t received;            /* bytes that have come from the server, all attempts together */
    bool complete;               /* it is under its name */
    bool restarted;
    ith_error failure; /* of receiving; status ITH_OK: none */

    /* Called when bytes have come; `now`: a test has just disturbed the program. False: stop. */
    bool (*tick)(void *user, bool now);
    void *user;
} ith_blob;

/* Sets up a blob for a file whose size and digest are known. `repo` is the folder
 * CACHE/models--ORG--NAME, `locks` that of its locks; both exist. *blob needs ith_blob_close.
 * ITH_E_MEMORY. */
ith_status ith_blob_open(const char *repo, const char *locks, const ith_hub_name *name,
                         const ith_hub_file *file, ith_blob *blob, ith_error *err);

/* Closes files and unlocks. What has come stays, if there are locks. */
void ith_blob_close(ith_blob *blob);

/* Bytes that are there already, before it is locked. */
int64_t ith_blob_bytes_there(const ith_blob *blob);

/* Of ith_transfer; `user` is an ith_blob. Errors: ITH_E_IO, also if the disk is full;
 * ITH_E_FORMAT: the checksum is wrong, after a second attempt if the first had begun with what an
 * earlier download left. Then nothing of the file stays. */
ith_ready ith_blob_prepare(void *user, int64_t *from, ith_error *err);
bool ith_blob_receive(void *user, const ith_http_reply *reply, const char *data, size_t n);
ith_status ith_blob_finish(void *user, const ith_http_reply *reply, bool *again, ith_error *err);

#endif
