/* chat_files.c - finds chat templates and the names of tokens in a model's files. */
#include "text/chat_files.h"

#include <stdlib.h>
#include <string.h>

static const char folder[] = "additional_chat_templates/", suffix[] = ".jinja";

static ith_status no_memory(ith_error *err)
{
    return ith_fail(err, ITH_E_MEMORY, "no memory for the chat templates");
}

static void clear(ith_chat_template *t)
{
    free(t->name);
    free(t->where);
    free(t->source);
}

static void drop_templates(ith_chat_files *files)
{
    for (size_t i = 0; i < files->n; i++)
        clear(&files->templates[i]);
    free(files->templates);
    files->templates = NULL;
    files->n = 0;
}

void ith_chat_files_free(ith_chat_files *files)
{
    drop_templates(files);
    json_decref(files->tokens);
    memset(files, 0, sizeof *files);
}

const ith_chat_template *ith_chat_files_find(const ith_chat_files *files, const char *name)
{
    for (size_t i = 0; i < files->n; i++)
        if (strcmp(files->templates[i].name, name) == 0)
            return &files->templates[i];
    return NULL;
}

ith_status ith_chat_files_add(ith_chat_files *files, ith_bytes name, const char *where,
                              ith_bytes source, ith_error *err)
{
    ith_chat_template added = {.name = strndup(name.data, name.len),
                               .where = strdup(where),
                               .source = malloc(source.len + 1),
                               .len = source.len},
                      *all = realloc(files->templates, (files->n + 1) * sizeof *all), *old;

    files->templates = all != NULL ? all : files->templates;
    if (all == NULL || added.name == NULL || added.where == NULL || added.source == NULL) {
        clear(&added);
        return no_memory(err);
    }
    if (source.len > 0)
        memcpy(added.source, source.data, source.len);
    added.source[source.len] = '\0';
    old = (ith_chat_template *)ith_chat_files_find(files, added.name);
    if (old != NULL)
        clear(old);
    else
        old = &files->templates[files->n++];
    *old = added;
    return ITH_OK;
}

ith_status ith_chat_files_name(ith_chat_files *files, const char *name, const char *text,
                               size_t len, ith_error *err)
{
    if (files->tokens == NULL)
        files->tokens = json_object();
    if (json_object_get(files->tokens, name) != NULL)
        return ITH_OK;
    return json_object_set_new(files->tokens, name, ith_json_bytes(text, len)) == 0
               ? ITH_OK
               : no_memory(err);
}

/* ---- JSON ---- */

/* Of tokenizer_config.json or special_tokens_map.json: a token is its text, or an object with its
 * "content". */
static ith_status take_tokens(ith_chat_files *files, const json_t *root, ith_error *err)
{
    static const char *const names[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                        "pad_token", "cls_token", "mask_token"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const json_t *token = json_object_get(root, names[i]);
        if (json_is_object(token))
            token = json_object_get(token, "content");
        if (json_is_string(token))
            ITH_TRY(ith_chat_files_name(files, names[i], json_string_value(token),
                                        json_string_length(token), err));
    }
    return ITH_OK;
}

static ith_status add_json(ith_chat_files *files, const char *where, const char *name,
                           const json_t *source, ith_error *err)
{
    if (name == NULL || !json_is_string(source))
        return ith_fail(err, ITH_E_FORMAT,
                        "%s: \"chat_template\" should be a string, or a list of templates with "
                        "\"name\" and \"template\"",
                        where);
    return ith_chat_files_add(files, (ith_bytes){name, strlen(name)}, where,
                              (ith_bytes){json_string_value(source), json_string_length(source)},
                              err);
}

/* A string, a list of {"name", "template"}, or an object of templates by name. */
static ith_status take_templates(ith_chat_files *files, const char *where, const json_t *value,
                                 ith_error *err)
{
    const json_t *item;
    const char *name;
    size_t i;

    if (value == NULL || json_is_null(value))
        return ITH_OK;
    if (json_is_array(value)) {
        json_array_foreach (value, i, item)
            ITH_TRY(add_json(files, where, json_string_value(json_object_get(item, "name")),
                             json_object_get(item, "template"), err));
        return ITH_OK;
    }
    if (json_is_object(value)) {
        json_object_foreach ((json_t *)value, name, item)
            ITH_TRY(add_json(files, where, name, item, err));
        return ITH_OK;
    }
    return add_json(files, where, "default", value, err);
}

static ith_status take_json(ith_chat_files *files, const char *name, ith_bytes text, ith_error *err)
{
    bool map = strcmp(name, "special_tokens_map.json") == 0,
         last = strcmp(name, "chat_template.json") == 0;
    ith_status status;
    json_t *root;

    ITH_TRY(ith_json_parse(text.data, text.len, name, &root, err));
    status = last ? ITH_OK : take_tokens(files, root, err);
    if (status == ITH_OK && !map && !files->standalone && !(last && files->n > 0))
        status = take_templates(files, name, json_object_get(root, "chat_template"), err);
    json_decref(root);
    return status;
}

/* ---- Files of their own ---- */

static ith_status take_jinja(ith_chat_files *files, const char *where, ith_bytes name,
                             ith_bytes text, ith_error *err)
{
    if (!files->standalone)
        drop_templates(files);
    files->standalone = true;
    return ith_chat_files_add(files, name, where, text, err);
}

ith_status ith_chat_files_take(ith_chat_files *files, const char *name, ith_bytes text,
                               ith_error *err)
{
    size_t len = strlen(name), n = sizeof folder - 1, end = sizeof suffix - 1;

    if (strcmp(name, "chat_template.jinja") == 0)
        return take_jinja(files, name, (ith_bytes){"default", 7}, text, err);
    if (len > n + end && strncmp(name, folder, n) == 0 && strcmp(name + len - end, suffix) == 0)
        return take_jinja(files, name, (ith_bytes){name + n, len - n - end}, text, err);
    if (strcmp(name, "tokenizer_config.json") == 0 ||
        strcmp(name, "special_tokens_map.json") == 0 || strcmp(name, "chat_template.json") == 0)
        return take_json(files, name, text, err);
    return ITH_OK;
}
