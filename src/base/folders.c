/* folders.c - finds the user's own folder, and makes folders. */
#include "base/folders.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *ith_home(void)
{
    const char *set = getenv("HOME");
    const struct passwd *user;

    if (set != NULL && set[0] != '\0')
        return set;
    user = getpwuid(getuid());
    return user != NULL && user->pw_dir != NULL && user->pw_dir[0] != '\0' ? user->pw_dir : NULL;
}

ith_status ith_user_path(const char *value, const char *more, char path[ITH_PATH_MAX],
                         ith_error *err)
{
    bool tilde = value[0] == '~' && (value[1] == '/' || value[1] == '\0');
    const char *home = tilde ? ith_home() : "";

    if (home == NULL)
        return ith_fail(err, ITH_E_ARGUMENT, "%s: HOME is not set", value);
    if (snprintf(path, ITH_PATH_MAX, "%s%s%s", home, value + tilde, more) >= ITH_PATH_MAX)
        return ith_fail(err, ITH_E_ARGUMENT, "%s%s: the path is too long", value, more);
    return ITH_OK;
}

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

ith_status ith_make_parents(const char *path, mode_t mode, ith_error *err)
{
    char *prefix = strdup(path);
    ith_status status = ITH_OK;

    if (prefix == NULL)
        return ith_fail(err, ITH_E_MEMORY, "no memory for the path %s", path);
    for (size_t i = 1; prefix[0] != '\0' && prefix[i] != '\0' && status == ITH_OK; i++) {
        int why = 0;
        if (prefix[i] != '/')
            continue;
        prefix[i] = '\0';
        if (mkdir(prefix, mode) != 0)
            why = errno;
        /* Of folders that are mounted when somebody looks, some file systems say something else. */
        if (why != 0 && why != EEXIST && !is_folder(prefix))
            status =
                ith_fail(err, ITH_E_IO, "cannot create the folder %s: %s", prefix, strerror(why));
        prefix[i] = '/';
    }
    free(prefix);
    return status;
}
