/* hub_cache.c - finds models in Hugging Face's cache. */
#include "formats/hub_cache.h"

#include "base/folders.h"
#include "formats/hub_choose.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 32, NAMES_MAX = 100000 };

/* ---- Folders ---- */

const char *ith_hub_variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

bool ith_hub_flag(const char *name)
{
    static const char *const yes[] = {"1", "true", "yes", "on"};
    const char *value = ith_hub_variable(name);

    for (size_t i = 0; value != NULL && i < sizeof yes / sizeof *yes; i++)
        if (strcasecmp(value, yes[i]) == 0)
            return true;
    return false;
}

static ith_status join(char out[ITH_PATH_MAX], const char *a, const char *b, ith_error *err)
{
    if (snprintf(out, ITH_PATH_MAX, "%s%s", a, b) < ITH_PATH_MAX)
        return ITH_OK;
    return ith_fail(err, ITH_E_ARGUMENT, "%s%s: the path is too long", a, b);
}

static ith_status hub_home(char path[ITH_PATH_MAX], ith_error *err)
{
    const char *set = ith_hub_variable("HF_HOME"), *cache = ith_hub_variable("XDG_CACHE_HOME");

    if (set != NULL)
        return ith_user_path(set, "", path, err);
    if (cache != NULL)
        return ith_user_path(cache, "/huggingface", path, err);
    if (ith_home() == NULL)
        return ith_fail(err, ITH_E_ARGUMENT,
                        "where models are kept is not known: set HOME, HF_HOME or HF_HUB_CACHE");
    return ith_user_path("~", "/.cache/huggingface", path, err);
}

ith_status ith_hub_cache(char path[ITH_PATH_MAX], ith_error *err)
{
    const char *set = ith_hub_variable("HF_HUB_CACHE");
    char folder[ITH_PATH_MAX];

    if (set == NULL)
        set = ith_hub_variable("HUGGINGFACE_HUB_CACHE");
    if (set != NULL)
        return ith_user_path(set, "", path, err);
    ITH_TRY(hub_home(folder, err));
    return join(path, folder, "/hub", err);
}

ith_status ith_hub_token_path(char path[ITH_PATH_MAX], ith_error *err)
{
    const char *set = ith_hub_variable("HF_TOKEN_PATH");
    char folder[ITH_PATH_MAX];

    if (set != NULL)
        return ith_user_path(set, "", path, err);
    ITH_TRY(hub_home(folder, err));
    return join(path, folder, "/token", err);
}

void ith_hub_folder_name(const ith_hub_name *name, char out[ITH_HUB_REPO + 16])
{
    int org = (int)strcspn(name->repo, "/");

    snprintf(out, ITH_HUB_REPO + 16, "models--%.*s--%s", org, name->repo, name->repo + org + 1);
}

bool ith_hub_cached_commit(const char *cache, const ith_hub_name *name, char commit[64])
{
    char folder[ITH_HUB_REPO + 16], path[ITH_PATH_MAX], text[64] = "";
    ssize_t n;
    int fd;

    snprintf(commit, 64, "%s", name->revision);
    if (ith_hub_is_commit(name->revision))
        return true;
    ith_hub_folder_name(name, folder);
    if (snprintf(path, sizeof path, "%s/%s/refs/%s", cache, folder, name->revision) >= ITH_PATH_MAX)
        return false;
    if (ith_regular_open(AT_FDCWD, path, O_RDONLY, &fd, NULL) != ITH_OK)
        return false;
    n = pread(fd, text, sizeof text - 1, 0);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\r\n")] = '\0';
    snprintf(commit, 64, "%s", text);
    return ith_hub_is_commit(commit);
}

/* ---- What a snapshot holds ---- */

typedef struct names {
    char **list;
    size_t n;
} names;

static void free_names(names *all)
{
    for (size_t i = 0; i < all->n; i++)
        free(all->list[i]);
    free(all->list);
}

static ith_status no_memory(const char *folder, ith_error *err)
{
    return ith_fail(err, ITH_E_MEMORY, "%s: no memory for the names of its files", folder);
}

static ith_status add_name(names *all, const char *folder, const char *name, ith_error *err)
{
    char **grown = realloc(all->list, (all->n + 1) * sizeof *grown);

    if (grown == NULL)
        return no_memory(folder, err);
    all->list = grown;
    all->list[all->n] = strdup(name);
    return all->list[all->n++] != NULL ? ITH_OK : no_memory(folder, err);
}

static ith_status too_many(const char *folder, ith_error *err)
{
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s: it has more than %d files, or folders inside folders more than %d deep",
                    folder, NAMES_MAX, DEPTH_MAX);
}

/* Adds the files below folder/prefix. Links that lead nowhere are not files. */
static ith_status list_files(const char *folder, const char *prefix, int depth, names *all,
                             ith_error *err)
{
    char path[ITH_PATH_MAX], name[ITH_HUB_FILE];
    const struct dirent *entry;
    ith_status status = ITH_OK;
    struct stat info;
    DIR *dir;

    ITH_TRY(join(path, folder, prefix, err));
    dir = opendir(path);
    while (dir != NULL && status == ITH_OK && (entry = readdir(dir)) != NULL) {
        int len = snprintf(name, sizeof name, "%s/%s", prefix, entry->d_name);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            len >= (int)sizeof name || fstatat(dirfd(dir), entry->d_name, &info, 0) != 0)
            continue;
        if (S_ISREG(info.st_mode))
            status =
                all->n < NAMES_MAX ? add_name(all, folder, name + 1, err) : too_many(folder, err);
        else if (S_ISDIR(info.st_mode))
            status = depth < DEPTH_MAX ? list_files(folder, name, depth + 1, all, err)
                                       : too_many(folder, err);
    }
    if (dir != NULL)
        closedir(dir);
    return status;
}

/* ---- */

static bool holds(const names *all, const char *name)
{
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->list[i], name) == 0)
            return true;
    return false;
}

static bool holds_gguf(const names *all)
{
    for (size_t i = 0; i < all->n; i++) {
        size_t len = strlen(all->list[i]);
        if (len > 5 && strcasecmp(all->list[i] + len - 5, ".gguf") == 0)
            return true;
    }
    return false;
}

static ith_status not_there(const char *text, const char *cache, ith_error *err)
{
    return ith_fail(err, ITH_E_IO,
                    "%s: no such file or folder, nor a model in %s; to download it: ithaca pull %s",
                    text, cache, text);
}

/* The model among the files of a snapshot. A folder without GGUF files may lack weights: its
 * reader says so, or does not need them. */
static ith_status choose(const char *text, const ith_hub_name *name, const char *snapshot,
                         const names *all, char **path, ith_error *err)
{
    ith_hub_choice choice = {.folder = true};
    ith_status status;

    if (name->file[0] != '\0' || holds_gguf(all)) {
        status = ith_hub_choose(name->repo, name->file, (const char *const *)all->list, all->n,
                                &choice, err);
        if (status != ITH_OK)
            return ith_fail_prefix(err, status, "%s, in %s", text, snapshot);
    }
    if (asprintf(path, "%s%s%s", snapshot, choice.folder ? "" : "/",
                 choice.folder ? "" : all->list[choice.first]) < 0)
        *path = NULL;
    free(choice.chosen);
    return *path != NULL ? ITH_OK : no_memory(snapshot, err);
}

ith_status ith_hub_find(const char *text, char **path, ith_error *err)
{
    char cache[ITH_PATH_MAX], commit[64], folder[ITH_HUB_REPO + 16], snapshot[ITH_PATH_MAX];
    ith_hub_name name;
    const char *why;
    names all = {NULL, 0};
    ith_status status;

    *path = NULL;
    if (!ith_hub_name_read(text, &name, &why))
        return ith_fail(err, ITH_E_ARGUMENT, "%s: %s", text, why);
    ITH_TRY(ith_hub_cache(cache, err));
    if (!ith_hub_cached_commit(cache, &name, commit))
        return not_there(text, cache, err);
    ith_hub_folder_name(&name, folder);
    if (snprintf(snapshot, sizeof snapshot, "%s/%s/snapshots/%s", cache, folder, commit) >=
        ITH_PATH_MAX)
        return ith_fail(err, ITH_E_ARGUMENT, "%s: the path is too long", cache);
    status = list_files(snapshot, "", 0, &all, err);
    if (status == ITH_OK && !holds_gguf(&all) && !holds(&all, "config.json") &&
        !holds(&all, "tokenizer.json") && name.file[0] == '\0')
        status = not_there(text, cache, err);
    if (status == ITH_OK)
        status = choose(text, &name, snapshot, &all, path, err);
    free_names(&all);
    return status;
}

const char *ith_hub_snapshot_name(const char *full, size_t *len)
{
    const char *at = strstr(full, "/models--"), *end, *name;

    if (at == NULL)
        return NULL;
    at += strlen("/models--");
    end = strchr(at, '/');
    name = strstr(at, "--");
    if (end == NULL || name == NULL || name > end || strncmp(end, "/snapshots/", 11) != 0 ||
        !ith_hub_is_commit(end + 11))
        return NULL;
    *len = (size_t)(end - name) - 2;
    return name + 2;
}
