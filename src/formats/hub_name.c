/* hub_name.c - reads names of models on the hub. */
#include "formats/hub_name.h"

#include "base/character.h"

#include <stdio.h>
#include <string.h>

enum { COMPONENT_BYTES = 255, COMMIT_DIGITS = 40 };

static bool is_repo_component(const char *component, size_t len)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789._-";

    return len > 0 && strspn(component, letters) >= len && strchr("-.", component[0]) == NULL &&
           strchr("-.", component[len - 1]) == NULL;
}

static bool is_repo(const char *repo)
{
    const char *slash = strchr(repo, '/');

    return slash != NULL && is_repo_component(repo, (size_t)(slash - repo)) &&
           is_repo_component(slash + 1, strlen(slash + 1)) && strstr(repo, "--") == NULL &&
           strstr(repo, "..") == NULL;
}

/* UTF-8 that a terminal shows as it is. */
static bool is_clean(const char *text)
{
    char shown[ITH_HUB_FILE];

    ith_clean_text(text, strlen(text), shown, sizeof shown);
    return strcmp(shown, text) == 0;
}

bool ith_hub_path_is_safe(const char *path)
{
    const char *component = path;

    if (strlen(path) >= ITH_HUB_FILE || strchr(path, '\\') != NULL || !is_clean(path))
        return false;
    for (;;) {
        size_t len = strcspn(component, "/");
        if (len == 0 || len > COMPONENT_BYTES || (len == 1 && component[0] == '.') ||
            (len == 2 && component[0] == '.' && component[1] == '.'))
            return false;
        if (component[len] == '\0')
            return true;
        component += len + 1;
    }
}

bool ith_hub_name_set_revision(ith_hub_name *name, const char *revision)
{
    if (strlen(revision) >= ITH_HUB_REVISION || !ith_hub_path_is_safe(revision) ||
        revision[0] == '-' || strpbrk(revision, " ~^:?*[") != NULL ||
        strstr(revision, "..") != NULL)
        return false;
    snprintf(name->revision, sizeof name->revision, "%s", revision);
    return true;
}

/* Copies len bytes, if there is room for them. */
static bool copy(char *out, size_t size, const char *text, size_t len)
{
    if (len >= size)
        return false;
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

bool ith_hub_name_read(const char *text, ith_hub_name *name, const char **why)
{
    size_t repo = strcspn(text, "@:"), end = strcspn(text, ":");
    char revision[ITH_HUB_REVISION] = "main";

    *name = (ith_hub_name){.repo = ""};
    *why = "names on the hub have the form ORG/NAME, ORG/NAME:FILE or ORG/NAME@REVISION";
    if (!copy(name->repo, sizeof name->repo, text, repo) || !is_repo(name->repo))
        return false;
    *why = "that is no branch, tag or commit";
    if (text[repo] == '@' && !copy(revision, sizeof revision, text + repo + 1, end - repo - 1))
        return false;
    if (!ith_hub_name_set_revision(name, revision))
        return false;
    *why = "what follows the colon is no name of a file in a repository";
    if (text[end] != ':')
        return true;
    return copy(name->file, sizeof name->file, text + end + 1, strlen(text + end + 1)) &&
           ith_hub_path_is_safe(name->file);
}

bool ith_hub_is_commit(const char *text)
{
    return strlen(text) == COMMIT_DIGITS && strspn(text, "0123456789abcdef") == COMMIT_DIGITS;
}
