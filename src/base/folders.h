/* folders.h - paths as users write them, and the folders that lead to a file. */
#ifndef ITH_BASE_FOLDERS_H
#define ITH_BASE_FOLDERS_H

#include "base/newfile.h"

/* The user's own folder: HOME, else what the list of users says. NULL: it is not known. */
const char *ith_home(void);

/* Sets path to `value` and `more`. A ~ at the beginning of `value`, alone or before a slash, stands
 * for the user's own folder. ITH_E_ARGUMENT: the path is too long, or the folder is not known. */
ith_status ith_user_path(const char *value, const char *more, char path[ITH_PATH_MAX],
                         ith_error *err);

/* Makes the folders that lead to `path`, where they are missing: all that a slash follows. `mode`
 * is theirs, less what umask takes. ITH_E_IO, ITH_E_MEMORY. */
ith_status ith_make_parents(const char *path, mode_t mode, ith_error *err);

#endif
