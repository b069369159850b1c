/* filereader.h - reads ranges of a file with pread, for one thread.
 *
 * A failing disk or a truncated file is an error here. Behind a mapping it would end the process
 * (SIGBUS).
 *
 * ITH_CACHED reads go through the page cache, for bytes that are read again soon or by the next
 * start. ITH_UNCACHED reads bypass it (O_DIRECT, open(2)), for more bytes than memory can hold:
 * cached, they would evict each other and everything else. On a file system without such reads they
 * go through the cache, which is then told to drop the range (posix_fadvise(2)).
 */
#ifndef ITH_FORMATS_FILEREADER_H
#define ITH_FORMATS_FILEREADER_H

#include "formats/mapfile.h"

typedef enum ith_caching { ITH_CACHED, ITH_UNCACHED } ith_caching;

typedef struct ith_filereader ith_filereader;

/* `file` must outlive the reader. ITH_E_IO: it cannot be opened, or its path now names another
 * file. */
ith_status ith_filereader_open(const ith_mapfile *file, ith_caching caching,
                               ith_filereader **reader, ith_error *err);
void ith_filereader_close(ith_filereader *reader); /* accepts NULL */

const ith_mapfile *ith_filereader_file(const ith_filereader *reader);

/* Do reads bypass the page cache? Becomes false when the file system refuses. */
bool ith_filereader_is_direct(const ith_filereader *reader);

/* Bytes [offset, offset + bytes) of the file. *data belongs to the reader, has any alignment and is
 * valid until its next call; what the last call read is not read again.
 *
 * ITH_E_IO: the system's message; ITH_E_FORMAT: the file ends early; ITH_E_MEMORY. The message does
 * not name the file: callers put its name and what they wanted before it (ith_fail_prefix). */
ith_status ith_filereader_get(ith_filereader *reader, uint64_t offset, size_t bytes,
                              const uint8_t **data, ith_error *err);

/* The same into out[bytes]. Cached reads go there directly. */
ith_status ith_filereader_copy(ith_filereader *reader, uint64_t offset, size_t bytes, uint8_t *out,
                               ith_error *err);

#endif
