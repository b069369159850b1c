/* hub_choose.c - chooses a model's files by their names. */
#include "formats/hub_choose.h"

#include "base/json.h"
#include "formats/hub_name.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char weights_name[] = "model.safetensors",
                  index_name[] = "model.safetensors.index.json", config_name[] = "config.json";

/* Of a Hugging Face folder, what tells of tokens, templates and sampling. */
static const char *const small_names[] = {"config.json",          "generation_config.json",
                                          "tokenizer.json",       "tokenizer_config.json",
                                          "tokenizer.model",      "special_tokens_map.json",
                                          "added_tokens.json",    "vocab.json",
                                          "merges.txt",           "chat_template.jinja",
                                          "chat_template.json",   "modules.json",
                                          "1_Pooling/config.json"};

static const char *const default_tags[] = {"Q4_K_M", "Q8_0"};

/* Where the number of a split one is, in its name. */
typedef struct gguf_name {
    size_t stem; /* bytes before the file's number, or before ".gguf" */
    long no, of; /* from 1; 0 of 0: it is not split */
} gguf_name;

static bool ends_with(const char *text, size_t len, const char *suffix)
{
    size_t end = strlen(suffix);
    return len >= end && strncasecmp(text + len - end, suffix, end) == 0;
}

/* "-00001-of-00003" at the end of the len bytes */
static bool read_split(const char *name, size_t len, gguf_name *g)
{
    enum { SUFFIX = 15 };
    int used = 0;

    if (len <= SUFFIX ||
        sscanf(name + len - SUFFIX, "-%5ld-of-%5ld%n", &g->no, &g->of, &used) != 2 ||
        used != SUFFIX || g->no < 1 || g->no > g->of)
        return false;
    g->stem = len - SUFFIX;
    return true;
}

static bool read_gguf_name(const char *name, gguf_name *g)
{
    size_t len = strlen(name);

    *g = (gguf_name){.stem = 0};
    if (!ends_with(name, len, ".gguf"))
        return false;
    g->stem = len - strlen(".gguf");
    if (!read_split(name, g->stem, g))
        g->no = g->of = 0;
    return true;
}

static const char *base_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash == NULL ? name : slash + 1;
}

/* Vision projectors and importance matrices are GGUF files, but no models. */
static bool is_model(const char *name)
{
    const char *base = base_name(name);
    return strncasecmp(base, "mmproj", 6) != 0 && strncasecmp(base, "imatrix", 7) != 0;
}

/* The file that stands for a GGUF file: itself, or the first file of a split model. */
static bool is_first(const char *name, gguf_name *g)
{
    return read_gguf_name(name, g) && g->no <= 1;
}

/* ---- The names ---- */

typedef struct entry {
    const char *name;
    size_t at; /* in the caller's list */
} entry;

/* A repository's files. An index may name a file for each of very many tensors, so they can be
 * found by their names. */
typedef struct listed {
    const char *repo; /* for messages */
    const char *const *names;
    size_t n;
    entry *by_name; /* [n], sorted */
} listed;

static int by_name(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

static ith_status list(const char *repo, const char *const *names, size_t n, listed *all,
                       ith_error *err)
{
    *all = (listed){.repo = repo, .names = names, .n = n};
    all->by_name = calloc(n + 1, sizeof *all->by_name);
    if (all->by_name == NULL)
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for a list of %zu files", repo, n);
    for (size_t i = 0; i < n; i++)
        all->by_name[i] = (entry){names[i], i};
    qsort(all->by_name, n, sizeof *all->by_name, by_name);
    return ITH_OK;
}

/* The first file of that name; SIZE_MAX: there is none. */
static size_t find_name(const listed *all, const char *name)
{
    size_t lo = 0, hi = all->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (strcmp(all->by_name[mid].name, name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < all->n && strcmp(all->by_name[lo].name, name) == 0 ? all->by_name[lo].at : SIZE_MAX;
}

/* ---- One GGUF file ---- */

/* Chooses names[i], and with it all files of a split model. */
static ith_status choose_file(const listed *all, size_t i, ith_hub_choice *choice, ith_error *err)
{
    char name[ITH_HUB_FILE + 32];
    gguf_name g;

    choice->first = i;
    choice->chosen[i] = true;
    if (!read_gguf_name(all->names[i], &g) || g.of == 0)
        return ITH_OK;
    for (long p = 1; p <= g.of; p++) {
        snprintf(name, sizeof name, "%.*s-%05ld-of-%05ld%s", (int)g.stem, all->names[i], p, g.of,
                 strrchr(all->names[i], '.'));
        size_t at = find_name(all, name);
        if (at == SIZE_MAX)
            return ith_fail(err, ITH_E_FORMAT, "%s: file %ld of %ld is missing: %s", all->repo, p,
                            g.of, name);
        choice->chosen[at] = true;
        if (p == 1)
            choice->first = at;
    }
    return ITH_OK;
}

static bool is_word(const char *text, const char *at, size_t len)
{
    return (at == text || !isalnum((unsigned char)at[-1])) && !isalnum((unsigned char)at[len]) &&
           at[len] != '_';
}

/* Is `tag` a word of the name without its ending? */
static bool has_tag(const char *name, const gguf_name *g, const char *tag)
{
    const char *base = base_name(name);
    char stem[ITH_HUB_FILE];

    snprintf(stem, sizeof stem, "%.*s", (int)(g->stem - (size_t)(base - name)), base);
    for (const char *at = stem; (at = strcasestr(at, tag)) != NULL; at++)
        if (is_word(stem, at, strlen(tag)))
            return true;
    return false;
}

/* How many GGUF files have the tag (NULL: any will do)? *found: the last of them. */
static size_t count_tagged(const listed *all, const char *tag, size_t *found)
{
    size_t count = 0;
    gguf_name g;

    for (size_t i = 0; i < all->n; i++)
        if (is_first(all->names[i], &g) && is_model(all->names[i]) &&
            (tag == NULL || has_tag(all->names[i], &g, tag))) {
            *found = i;
            count++;
        }
    return count;
}

/* "a.gguf, b.gguf and 3 more", those with the tag */
static const char *list_tagged(const listed *all, const char *tag, char *text, size_t size)
{
    size_t used = 0, left = 0;
    gguf_name g;

    text[0] = '\0';
    for (size_t i = 0; i < all->n; i++) {
        const char *name = all->names[i];
        if (!is_first(name, &g) || !is_model(name) || (tag != NULL && !has_tag(name, &g, tag)))
            continue;
        if (used + strlen(name) + 24 < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "", name);
        else
            left++;
    }
    if (left > 0)
        snprintf(text + used, size - used, " and %zu more", left);
    return text;
}

static ith_status ambiguous(const listed *all, const char *tag, ith_error *err)
{
    char text[600];

    return ith_fail(err, ITH_E_FORMAT,
                    "%s: several files could be meant; name one, as in %s:FILE: %s", all->repo,
                    all->repo, list_tagged(all, tag, text, sizeof text));
}

static ith_status choose_tag(const listed *all, const char *tag, ith_hub_choice *choice,
                             ith_error *err)
{
    size_t found = 0, count = count_tagged(all, tag, &found);
    char text[600];

    if (count == 1)
        return choose_file(all, found, choice, err);
    if (count > 1)
        return ambiguous(all, tag, err);
    list_tagged(all, NULL, text, sizeof text);
    return ith_fail(err, ITH_E_FORMAT, "%s: no file has the name or tag %s%s%s", all->repo, tag,
                    text[0] != '\0' ? "; there are " : "", text);
}

static ith_status choose_named(const listed *all, const char *file, ith_hub_choice *choice,
                               ith_error *err)
{
    size_t found = find_name(all, file), count = 0;

    if (found != SIZE_MAX)
        return choose_file(all, found, choice, err);
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(base_name(all->names[i]), file) == 0) {
            found = i;
            count++;
        }
    return count == 1 ? choose_file(all, found, choice, err) : choose_tag(all, file, choice, err);
}

/* ---- Without a file's name ---- */

static bool is_small(const char *name)
{
    for (size_t i = 0; i < sizeof small_names / sizeof *small_names; i++)
        if (strcmp(name, small_names[i]) == 0)
            return true;
    return false;
}

/* A folder that the reader of Hugging Face folders can open. */
static bool choose_folder(const listed *all, ith_hub_choice *choice)
{
    size_t weights = find_name(all, weights_name), index = find_name(all, index_name);

    if (find_name(all, config_name) == SIZE_MAX || (weights == SIZE_MAX && index == SIZE_MAX))
        return false;
    for (size_t i = 0; i < all->n; i++)
        choice->chosen[i] = is_small(all->names[i]);
    choice->folder = true;
    choice->index = weights == SIZE_MAX ? index : SIZE_MAX;
    choice->chosen[weights != SIZE_MAX ? weights : index] = true;
    return true;
}

static ith_status no_model(const listed *all, ith_error *err)
{
    for (size_t i = 0; i < all->n; i++) {
        const char *name = all->names[i];
        if (ends_with(name, strlen(name), ".bin") || ends_with(name, strlen(name), ".pth"))
            return ith_fail(err, ITH_E_UNSUPPORTED,
                            "%s has only PyTorch weights (%s); Ithaca reads safetensors and GGUF",
                            all->repo, name);
    }
    if (find_name(all, "adapter_config.json") != SIZE_MAX)
        return ith_fail(err, ITH_E_UNSUPPORTED,
                        "%s has an adapter (adapter_config.json), which is no model", all->repo);
    return ith_fail(err, ITH_E_UNSUPPORTED,
                    "%s has no model that Ithaca reads: neither config.json with %s or %s, nor a "
                    "GGUF file",
                    all->repo, weights_name, index_name);
}

static ith_status choose_default(const listed *all, ith_hub_choice *choice, ith_error *err)
{
    size_t found = 0, count;

    if (choose_folder(all, choice))
        return ITH_OK;
    for (size_t i = 0; i < sizeof default_tags / sizeof *default_tags; i++) {
        count = count_tagged(all, default_tags[i], &found);
        if (count > 1)
            return ambiguous(all, default_tags[i], err);
        if (count == 1)
            return choose_file(all, found, choice, err);
    }
    count = count_tagged(all, NULL, &found);
    if (count > 1)
        return ambiguous(all, NULL, err);
    return count == 1 ? choose_file(all, found, choice, err) : no_model(all, err);
}

ith_status ith_hub_choose(const char *repo, const char *file, const char *const *names, size_t n,
                          ith_hub_choice *choice, ith_error *err)
{
    listed all;
    ith_status status;

    *choice = (ith_hub_choice){.index = SIZE_MAX, .first = SIZE_MAX};
    ITH_TRY(list(repo, names, n, &all, err));
    choice->chosen = calloc(n + 1, sizeof *choice->chosen);
    if (choice->chosen == NULL)
        status = ith_fail(err, ITH_E_MEMORY, "%s: no memory for a list of %zu files", repo, n);
    else
        status = file[0] != '\0' ? choose_named(&all, file, choice, err)
                                 : choose_default(&all, choice, err);
    free(all.by_name);
    if (status != ITH_OK) {
        free(choice->chosen);
        choice->chosen = NULL;
    }
    return status;
}

ith_status ith_hub_choose_shards(const char *repo, const char *text, size_t len,
                                 const char *const *names, size_t n, ith_hub_choice *choice,
                                 ith_error *err)
{
    listed all = {.by_name = NULL};
    json_t *root = NULL, *shard;
    const char *name;
    char where[200];
    ith_status status;

    snprintf(where, sizeof where, "%s: %s", repo, index_name);
    ITH_CHECK(list(repo, names, n, &all, err));
    ITH_CHECK(ith_json_parse(text, len, where, &root, err));
    if (!json_is_object(json_object_get(root, "weight_map")))
        ITH_CHECK(ith_fail(err, ITH_E_FORMAT, "%s: \"weight_map\" is missing", where));
    json_object_foreach (json_object_get(root, "weight_map"), name, shard) {
        size_t at = json_is_string(shard) ? find_name(&all, json_string_value(shard)) : SIZE_MAX;
        if (at == SIZE_MAX)
            ITH_CHECK(ith_fail(
                err, ITH_E_FORMAT, "%s: tensor %s should be in %s, which is not in the repository",
                where, name, json_is_string(shard) ? json_string_value(shard) : "a file"));
        choice->chosen[at] = true;
    }
done:
    free(all.by_name);
    json_decref(root);
    return status;
}
