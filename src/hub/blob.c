/* blob.c - one file: lock, resume, write, compare the checksum, give it its name. */
#include "hub/blob.h"

#include "base/newfile.h"
#include "base/testhook.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SLICE_BYTES = 8 << 20,
    READ_BYTES = 256 << 10,
    GIT_DIGITS = 40,
    NAME_TRIES = 100,
    HOST_BYTES = 65
};

ith_status ith_blob_open(const char *repo, const char *locks, const ith_hub_name *name,
                         const ith_hub_file *file, ith_blob *blob, ith_error *err)
{
    bool git = strlen(file->digest) == GIT_DIGITS;

    *blob = (ith_blob){.file = file, .fd = -1, .lock_fd = -1};
    blob->what = ith_hub_file_what(name, file->name);
    if (asprintf(&blob->path, "%s/blobs/%s", repo, file->digest) < 0)
        blob->path = NULL;
    if (asprintf(&blob->partial, "%s/blobs/%s.incomplete", repo, file->digest) < 0)
        blob->partial = NULL;
    if (asprintf(&blob->lock, "%s/%s.lock", locks, file->digest) < 0)
        blob->lock = NULL;
    blob->digester = ith_digester_open(git ? ITH_DIGEST_SHA1 : ITH_DIGEST_SHA256);
    if (blob->what != NULL && blob->path != NULL && blob->partial != NULL && blob->lock != NULL &&
        blob->digester != NULL)
        return ITH_OK;
    return ith_fail(err, ITH_E_MEMORY, "%s: no memory to download it", file->name);
}

static void close_files(ith_blob *b)
{
    if (b->fd >= 0)
        close(b->fd);
    if (b->lock_fd >= 0)
        close(b->lock_fd); /* which unlocks it */
    b->fd = b->lock_fd = -1;
}

void ith_blob_close(ith_blob *b)
{
    if (b->alone && b->fd >= 0)
        unlink(b->partial);
    close_files(b);
    ith_digester_close(b->digester);
    free(b->what);
    free(b->path);
    free(b->partial);
    free(b->lock);
}

/* The size of a regular file; -1 if there is none. Links are followed: other programs share blobs
 * between repositories by them. */
static int64_t size_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) ? (int64_t)info.st_size : -1;
}

int64_t ith_blob_bytes_there(const ith_blob *b)
{
    int64_t partial;

    if (size_of(b->path) == b->file->bytes)
        return b->file->bytes;
    partial = size_of(b->partial);
    return partial < 0 || partial > b->file->bytes ? 0 : partial;
}

/* ---- The lock ---- */

/* Others may remove a lock file that nobody holds: the one that is locked must be the one that has
 * the name. */
static bool is_named(int fd, const char *path)
{
    struct stat ours, named;

    return fstat(fd, &ours) == 0 && stat(path, &named) == 0 && ours.st_dev == named.st_dev &&
           ours.st_ino == named.st_ino;
}

static ith_ready take_lock(ith_blob *b, ith_error *err)
{
    int fd = open(b->lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0664);
    bool locked;

    if (fd < 0) {
        ith_fail(err, ITH_E_IO, "%s: %s", b->lock, strerror(errno));
        return ITH_READY_FAILED;
    }
    locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
    b->alone = !locked && errno != EWOULDBLOCK;
    if (b->alone || (locked && is_named(fd, b->lock))) {
        b->lock_fd = fd;
        return ITH_READY_SEND;
    }
    close(fd);
    return ITH_READY_WAIT;
}

/* ---- What is there ---- */

static void begin_digest(ith_blob *b)
{
    char head[64], unused[65];
    int len = snprintf(head, sizeof head, "blob %lld", (long long)b->file->bytes);

    ith_digester_end(b->digester, unused);
    if (strlen(b->file->digest) == GIT_DIGITS)
        ith_digester_add(b->digester, head, (size_t)len + 1); /* Git counts the NUL */
    b->done = 0;
}

static ith_status cannot(const ith_blob *b, const char *path, ith_error *err)
{
    if (errno == ENOSPC || errno == EDQUOT)
        return ith_fail(err, ITH_E_IO, "%s: the disk is full (%s)%s", b->what, path,
                        b->alone ? "" : "; run the same command again to resume the download");
    return ith_fail(err, ITH_E_IO, "%s: %s: %s", b->what, path, strerror(errno));
}

/* Forgets what has come. */
static ith_status restart(ith_blob *b, ith_error *err)
{
    begin_digest(b);
    b->found = 0;
    return ftruncate(b->fd, 0) == 0 ? ITH_OK : cannot(b, b->partial, err);
}

/* Without locks: a file that no other process, and no other blob of this one, has. */
static ith_status open_own(ith_blob *b, ith_error *err)
{
    char host[HOST_BYTES] = "";

    gethostname(host, sizeof host - 1);
    for (int i = 0; i < NAME_TRIES; i++) {
        free(b->partial);
        if (asprintf(&b->partial, "%s.%s-%ld-%d.incomplete", b->path, host, (long)getpid(), i) < 0)
            b->partial = NULL;
        if (b->partial == NULL)
            return ith_fail(err, ITH_E_MEMORY, "%s: no memory to download it", b->what);
        b->fd = open(b->partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (b->fd >= 0 || errno != EEXIST)
            break;
    }
    return b->fd >= 0 ? ITH_OK : cannot(b, b->partial, err);
}

static ith_status open_shared(ith_blob *b, ith_error *err)
{
    b->fd = open(b->partial, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    return b->fd >= 0 ? ITH_OK : cannot(b, b->partial, err);
}

static ith_status open_partial(ith_blob *b, ith_error *err)
{
    struct stat info;

    ITH_TRY(b->alone ? open_own(b, err) : open_shared(b, err));
    if (fstat(b->fd, &info) != 0 || !S_ISREG(info.st_mode))
        return ith_fail(err, ITH_E_IO, "%s: not a regular file", b->partial);
    begin_digest(b);
    b->found = (int64_t)info.st_size;
    return b->found > b->file->bytes ? restart(b, err) : ITH_OK;
}

/* Adds some of what an earlier download has left to the digest. */
static ith_status read_slice(ith_blob *b, ith_error *err)
{
    static const size_t most = READ_BYTES;
    int64_t end = b->done + SLICE_BYTES < b->found ? b->done + SLICE_BYTES : b->found;
    char *buffer = malloc(most);
    ssize_t n = 1;

    if (buffer == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory to read it", b->what);
    while (b->done < end && n > 0) {
        size_t want = (int64_t)most < end - b->done ? most : (size_t)(end - b->done);
        n = pread(b->fd, buffer, want, (off_t)b->done);
        if (n > 0)
            ith_digester_add(b->digester, buffer, (size_t)n);
        b->done += n > 0 ? n : 0;
    }
    free(buffer);
    if (n == 0) /* somebody has cut it */
        return restart(b, err);
    return n < 0 ? cannot(b, b->partial, err) : ITH_OK;
}

/* ---- The end ---- */

static ith_status publish(ith_blob *b, ith_error *err)
{
    struct stat info;

    if (fstat(b->fd, &info) != 0 || info.st_size != b->file->bytes)
        return ith_fail(err, ITH_E_IO, "%s: %s was changed by another program", b->what,
                        b->partial);
    if (fsync(b->fd) != 0)
        return cannot(b, b->partial, err);
    if (rename(b->partial, b->path) != 0)
        return ith_fail(err, ITH_E_IO, "%s: renaming it to %s: %s", b->partial, b->path,
                        strerror(errno));
    b->complete = true;
    close_files(b);
    return ITH_OK;
}

/* All bytes are there. *again: they are wrong, but only some of them came from the server in this
 * run. */
static ith_status check(ith_blob *b, bool *again, ith_error *err)
{
    char hex[65];
    bool resumed = b->found > 0;

    ith_digester_end(b->digester, hex);
    if (strcmp(hex, b->file->digest) == 0)
        return publish(b, err);
    ITH_TRY(restart(b, err));
    *again = resumed && !b->restarted;
    b->restarted = true;
    if (*again)
        return ITH_OK;
    unlink(b->partial);
    return ith_fail(err, ITH_E_FORMAT,
                    "%s: wrong checksum: %s instead of %s; it was removed, as it is not the file "
                    "that the hub lists",
                    b->what, hex, b->file->digest);
}

/* ---- A transfer's functions ---- */

/* With the lock: is it there now, and how much of it? */
static ith_ready look(ith_blob *b, ith_error *err)
{
    ith_ready ready = take_lock(b, err);

    if (ready != ITH_READY_SEND)
        return ready;
    if (size_of(b->path) == b->file->bytes) {
        b->complete = true;
        b->done = b->file->bytes;
        close_files(b);
        return ITH_READY_DONE;
    }
    return open_partial(b, err) == ITH_OK ? ITH_READY_SEND : ITH_READY_FAILED;
}

ith_ready ith_blob_prepare(void *user, int64_t *from, ith_error *err)
{
    ith_blob *b = user;
    bool again = false;

    if (b->lock_fd < 0) {
        ith_ready ready = look(b, err);
        if (ready != ITH_READY_SEND)
            return ready;
    }
    if (b->done < b->found) {
        if (read_slice(b, err) != ITH_OK)
            return ITH_READY_FAILED;
        return ITH_READY_BUSY;
    }
    if (b->done == b->file->bytes && b->found > 0) {
        if (check(b, &again, err) != ITH_OK)
            return ITH_READY_FAILED;
        if (b->complete)
            return ITH_READY_DONE;
    }
    *from = b->done;
    return ITH_READY_SEND;
}

/* Where the answer's first byte belongs. A server may send all from the beginning. */
static ith_status begin_answer(ith_blob *b, const ith_http_reply *reply)
{
    if (reply->status == 200 && b->done > 0)
        ITH_TRY(restart(b, &b->failure));
    if ((reply->status == 206 && reply->from != b->done) ||
        (reply->status == 206 && reply->total >= 0 && reply->total != b->file->bytes))
        return ith_fail(&b->failure, ITH_E_FORMAT,
                        "%s: the server sends another range of it than was asked for", b->what);
    return ITH_OK;
}

bool ith_blob_receive(void *user, const ith_http_reply *reply, const char *data, size_t n)
{
    ith_blob *b = user;
    bool due;

    if (reply->received == 0 && begin_answer(b, reply) != ITH_OK)
        return false;
    if ((int64_t)n > b->file->bytes - b->done) {
        ith_fail(&b->failure, ITH_E_FORMAT,
                 "%s: the server sends more than the %lld bytes that it has", b->what,
                 (long long)b->file->bytes);
        return false;
    }
    if (!ith_write_at(b->fd, data, n, (uint64_t)b->done)) {
        cannot(b, b->partial, &b->failure);
        return false;
    }
    ith_digester_add(b->digester, data, n);
    b->done += (int64_t)n;
    b->received += (int64_t)n;
    due = ith_test_hook_due("download", b->done);
    while (due && ith_test_hook_act())
        ;
    if (!b->tick(b->user, due))
        ith_fail(&b->failure, ITH_E_CANCELLED, "%s: the download was stopped", b->what);
    return b->failure.status == ITH_OK;
}

ith_status ith_blob_finish(void *user, const ith_http_reply *reply, bool *again, ith_error *err)
{
    ith_blob *b = user;

    if (b->failure.status != ITH_OK) {
        *err = b->failure;
        return err->status;
    }
    if (reply->status == 416 && b->done > 0 && !b->restarted) {
        b->restarted = *again = true;
        return restart(b, err);
    }
    if (reply->status != 200 && reply->status != 206)
        return ith_fail(err, ITH_E_IO, "%s: the server answers with status %ld", b->what,
                        reply->status);
    *again = b->done < b->file->bytes;
    return *again ? ITH_OK : check(b, again, err);
}
