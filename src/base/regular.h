/* regular.h - opening files that others may have prepared.
 *
 * Where a file is expected, only a regular file is opened: a pipe would wait for a writer, a device
 * may do anything. In folders that Ithaca fills itself, links are not followed either: whoever may
 * write there could point one at any other file of the user.
 *
 * Functions that take `folder` and `path` look the last component of the path up in that open
 * folder and do not follow it; the rest of the path is for messages. With AT_FDCWD the whole path
 * is used, and links are followed: the user named it.
 */
#ifndef ITH_BASE_REGULAR_H
#define ITH_BASE_REGULAR_H

#include "base/error.h"

#include <fcntl.h>

/* The component of the path that is looked up in the folder. */
const char *ith_path_within(int folder, const char *path);

/* Opens a regular file with `flags` of open(2); a file that O_CREAT makes is readable by its owner
 * alone. ITH_E_IO: *fd is -1, and errno says why; ITH_E_ARGUMENT: it is something else than a
 * regular file, or a link. */
ith_status ith_regular_open(int folder, const char *path, int flags, int *fd, ith_error *err);

/* Why `path` cannot be opened, by errno; a link that leads nowhere is called so. Returns
 * ITH_E_IO. */
ith_status ith_cannot_open(const char *path, ith_error *err);

#endif
