/* filereader.c - pread into a buffer of the reader, cached or past the page cache. */
#include "formats/filereader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* O_DIRECT needs addresses, offsets and lengths in blocks of the disk, 512 or 4096 bytes. */
enum {
    BLOCK = 4096,
    COPY_BYTES = 1 << 20 /* stays in the L2 cache between read and copy */
};

struct ith_filereader {
    const ith_mapfile *file;
    int fd;
    ith_caching caching;
    bool direct;         /* the descriptor is O_DIRECT */
    uint8_t *buffer;     /* [room] aligned to BLOCK */
    size_t room, filled; /* filled: bytes of the file from `begin` on */
    uint64_t begin;
};

static uint64_t block_down(uint64_t at)
{
    return at / BLOCK * BLOCK;
}

/* ---- Opening ---- */

/* Mapping and descriptor both come from the path, which may name another file by now. */
static ith_status check_same(const ith_filereader *r, ith_error *err)
{
    struct stat info;

    if (fstat(r->fd, &info) != 0)
        return ith_fail(err, ITH_E_IO, "%s: %s", r->file->path, strerror(errno));
    if (info.st_dev != r->file->device || info.st_ino != r->file->inode)
        return ith_fail(err, ITH_E_IO, "%s: the file was replaced while it was being opened",
                        r->file->path);
    return ITH_OK;
}

static ith_status open_descriptor(ith_filereader *r, ith_error *err)
{
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK; /* a pipe by now? it does not wait */

    r->direct = r->caching == ITH_UNCACHED;
    r->fd = open(r->file->path, r->direct ? flags | O_DIRECT : flags);
    if (r->fd < 0 && r->direct && errno == EINVAL) {
        r->direct = false;
        r->fd = open(r->file->path, flags);
    }
    return r->fd >= 0 ? check_same(r, err)
                      : ith_fail(err, ITH_E_IO, "%s: %s", r->file->path, strerror(errno));
}

ith_status ith_filereader_open(const ith_mapfile *file, ith_caching caching, ith_filereader **out,
                               ith_error *err)
{
    ith_filereader *r = calloc(1, sizeof *r);
    ith_status status;

    *out = NULL;
    if (r == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for a reader", file->path);
    *r = (ith_filereader){.file = file, .fd = -1, .caching = caching};
    status = open_descriptor(r, err);
    if (status != ITH_OK) {
        ith_filereader_close(r);
        return status;
    }
    *out = r;
    return ITH_OK;
}

void ith_filereader_close(ith_filereader *reader)
{
    if (reader == NULL)
        return;
    if (reader->fd >= 0)
        close(reader->fd);
    free(reader->buffer);
    free(reader);
}

const ith_mapfile *ith_filereader_file(const ith_filereader *reader)
{
    return reader->file;
}

bool ith_filereader_is_direct(const ith_filereader *reader)
{
    return reader->direct;
}

/* ---- Reading ---- */

/* Some file systems open a file with O_DIRECT and then refuse to read it. */
static bool gave_up_direct(ith_filereader *r)
{
    int flags = r->direct && errno == EINVAL ? fcntl(r->fd, F_GETFL) : -1;

    if (flags == -1 || fcntl(r->fd, F_SETFL, flags & ~O_DIRECT) != 0)
        return false;
    r->direct = false;
    return true;
}

/* Reads at least `least` bytes into out[room], more if the system returns them. */
static ith_status read_at_least(ith_filereader *r, uint64_t offset, size_t least, size_t room,
                                uint8_t *out, size_t *got, ith_error *err)
{
    for (*got = 0; *got < least;) {
        ssize_t n = pread(r->fd, out + *got, room - *got, (off_t)(offset + *got));
        if (n < 0 && (errno == EINTR || gave_up_direct(r)))
            continue;
        if (n < 0)
            return ith_fail(err, ITH_E_IO, "reading %zu bytes at %llu: %s", room - *got,
                            (unsigned long long)(offset + *got), strerror(errno));
        *got += (size_t)n;
        /* direct reads return less than whole blocks only at the end of the file */
        if (n == 0 || (r->direct && *got < least && *got % BLOCK != 0))
            return ith_fail(err, ITH_E_FORMAT, "truncated: the file ends before byte %llu",
                            (unsigned long long)(offset + least));
    }
    if (r->caching == ITH_UNCACHED && !r->direct)
        posix_fadvise(r->fd, (off_t)offset, (off_t)*got, POSIX_FADV_DONTNEED);
    return ITH_OK;
}

static bool make_room(ith_filereader *r, size_t bytes)
{
    if (r->room >= bytes)
        return true;
    free(r->buffer);
    r->buffer = aligned_alloc(BLOCK, bytes); /* `bytes` is whole blocks */
    r->room = r->buffer == NULL ? 0 : bytes;
    return r->buffer != NULL;
}

static bool has(const ith_filereader *r, uint64_t offset, size_t bytes)
{
    return offset >= r->begin && offset - r->begin <= r->filled &&
           bytes <= r->filled - (offset - r->begin);
}

static ith_status fill(ith_filereader *r, uint64_t offset, size_t bytes, ith_error *err)
{
    uint64_t begin = block_down(offset), end = block_down(offset + bytes + BLOCK - 1);

    r->filled = 0;
    if (!make_room(r, end - begin))
        return ith_fail(err, ITH_E_MEMORY, "no memory to read %zu bytes", bytes);
    r->begin = begin;
    return read_at_least(r, begin, offset + bytes - begin, end - begin, r->buffer, &r->filled, err);
}

ith_status ith_filereader_get(ith_filereader *r, uint64_t offset, size_t bytes,
                              const uint8_t **data, ith_error *err)
{
    ith_status status = has(r, offset, bytes) ? ITH_OK : fill(r, offset, bytes, err);

    if (status != ITH_OK)
        r->filled = 0;
    else
        *data = r->buffer + (offset - r->begin);
    return status;
}

ith_status ith_filereader_copy(ith_filereader *r, uint64_t offset, size_t bytes, uint8_t *out,
                               ith_error *err)
{
    size_t got;

    if (!r->direct)
        return read_at_least(r, offset, bytes, bytes, out, &got, err);
    while (bytes > 0) {
        uint64_t end = block_down(offset + COPY_BYTES);
        size_t now = offset + bytes < end ? bytes : (size_t)(end - offset);
        const uint8_t *data;
        ITH_TRY(ith_filereader_get(r, offset, now, &data, err));
        memcpy(out, data, now);
        offset += now;
        out += now;
        bytes -= now;
    }
    return ITH_OK;
}
