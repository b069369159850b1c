/* filereader.h - ranges of a file by pread, for one thread. A failing disk, or a file that has been cut short, is an error here, where a mapping
 * would end the process (SIGBUS).
 *
 * Cached, a range goes through the system's page cache: what is read again soon, or by the next start, is there. Uncached, it goes past it
 * (O_DIRECT, open(2)): right for more bytes than memory has room for, which would only push each other and all else out. A file
 * system that knows no such reading serves the range through the cache and is told to let go of it (posix_fadvise(2)).
 */
#ifndef ITH_FORMATS_FILEREADER_H
#define ITH_FORMATS_FILEREADER_H

#include "formats/mapfile.h"

typedef enum ith_caching { ITH_CACHED, ITH_UNCACHED } ith_caching;

typedef struct ith_filereader ith_filereader;

/* `file` must outlive the reader. ITH_E_IO: it cannot be opened, or its path names another file by now. */
ith_status ith_filereader_open(const ith_mapfile *file, ith_caching caching,
                               ith_filereader **reader, ith_error *err);
void ith_filereader_close(ith_filereader *reader); /* accepts NULL */

const ith_mapfile *ith_filereader_file(const ith_filereader *reader);

/* Is the page cache really passed by? It turns false when the file system refuses. */
bool ith_filereader_is_direct(const ith_filereader *reader);

/* Bytes [offset, offset + bytes): *data is the reader's, valid until its next call, and has any alignment. What the last call read is not
 * read again. ITH_E_IO: the system's word; ITH_E_FORMAT: the file ends before; ITH_E_MEMORY. The text begins with what went wrong: the caller
 * puts the file's name, and what was to be read, before it (ith_fail_prefix). */
ith_status ith_filereader_get(ith_filereader *reader, uint64_t offset, size_t bytes,
                              const uint8_t **data, ith_error *err);

/* The same into out[bytes]; without a copy where they are cached. */
ith_status ith_filereader_copy(ith_filereader *reader, uint64_t offset, size_t bytes, uint8_t *out,
                               ith_error *err);

#endif
