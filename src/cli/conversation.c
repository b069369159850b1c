/* conversation.c - keeps the messages of a chat. */
#include "cli/conversation.h"

#include "base/newfile.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_BYTES = 1 << 30 }; /* of a conversation that is replaced */

static ith_status no_memory(ith_error *err)
{
    return ith_fail(err, ITH_E_MEMORY, "no memory for the conversation");
}

ith_status ith_conversation_open(const ith_chat_args *args, ith_conversation *c, ith_error *err)
{
    ith_chat_inputs *in = &c->inputs;

    *c = (ith_conversation){.messages = NULL};
    ITH_TRY(ith_chat_inputs_read(args, NULL, in, err));
    if (in->messages.data != NULL)
        ITH_TRY(
            ith_json_parse(in->messages.data, in->messages.len, args->messages, &c->messages, err));
    else
        c->messages = json_array();
    if (c->messages == NULL)
        return no_memory(err);
    for (size_t i = 0; i < in->params.n_messages; i++)
        ITH_TRY(ith_conversation_add(c, in->params.messages[i].role, in->params.messages[i].content,
                                     strlen(in->params.messages[i].content), err));
    in->params.messages = NULL;
    in->params.n_messages = 0;
    return ITH_OK;
}

void ith_conversation_close(ith_conversation *c)
{
    json_decref(c->messages);
    ith_chat_inputs_free(&c->inputs);
    c->messages = NULL;
}

size_t ith_conversation_length(const ith_conversation *c)
{
    return json_array_size(c->messages);
}

static const char *text_of(const ith_conversation *c, size_t at, const char *key)
{
    return json_string_value(json_object_get(json_array_get(c->messages, at), key));
}

const char *ith_conversation_last_role(const ith_conversation *c)
{
    size_t n = ith_conversation_length(c);
    const char *role = n > 0 ? text_of(c, n - 1, "role") : NULL;

    return role != NULL ? role : "";
}

static json_t *message(const char *role, const char *text, size_t len)
{
    return json_pack("{s:s, s:o}", "role", role, "content", ith_json_bytes(text, len));
}

ith_status ith_conversation_put(ith_conversation *c, json_t *m, ith_error *err)
{
    return json_array_append_new(c->messages, m) == 0 ? ITH_OK : no_memory(err);
}

ith_status ith_conversation_add(ith_conversation *c, const char *role, const char *text, size_t len,
                                ith_error *err)
{
    return ith_conversation_put(c, message(role, text, len), err);
}

json_t *ith_conversation_take(ith_conversation *c)
{
    size_t n = ith_conversation_length(c);
    json_t *last = n > 0 ? json_incref(json_array_get(c->messages, n - 1)) : NULL;

    if (last != NULL)
        json_array_remove(c->messages, n - 1);
    return last;
}

void ith_conversation_cut(ith_conversation *c, size_t length)
{
    while (ith_conversation_length(c) > length)
        json_array_remove(c->messages, ith_conversation_length(c) - 1);
}

static bool has_system(const ith_conversation *c)
{
    const char *role = text_of(c, 0, "role");
    return role != NULL && strcmp(role, "system") == 0;
}

const char *ith_conversation_system(const ith_conversation *c)
{
    return has_system(c) ? text_of(c, 0, "content") : NULL;
}

ith_status ith_conversation_set_system(ith_conversation *c, const char *text, ith_error *err)
{
    if (has_system(c))
        json_array_remove(c->messages, 0);
    if (text[0] == '\0')
        return ITH_OK;
    return json_array_insert_new(c->messages, 0, message("system", text, strlen(text))) == 0
               ? ITH_OK
               : no_memory(err);
}

ith_status ith_conversation_ids(const ith_conversation *c, const ith_vocab *vocab, bool answer,
                                ith_ids *ids, bool *plain_markers, ith_error *err)
{
    ith_chat_params params = c->inputs.params;
    char *text = ith_json_exact_text(c->messages, false);
    ith_status status;

    *ids = (ith_ids){0};
    if (text == NULL)
        return no_memory(err);
    params.messages_json = text;
    params.no_generation_prompt = !answer;
    status = ith_chat_tokenize(vocab, &params, &ids->data, &ids->n, plain_markers, err);
    free(text);
    return status;
}

/* Does the file hold a list of messages, or nothing? */
static bool holds_messages(const char *path)
{
    json_t *root, *message;
    struct stat info;
    bool are_messages;
    size_t i;

    if (stat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size == 0)
        return true;
    if (ith_json_read(path, MOST_BYTES, &root, NULL) != ITH_OK)
        return false;
    are_messages = json_is_array(root);
    json_array_foreach (root, i, message)
        are_messages = are_messages && json_is_string(json_object_get(message, "role"));
    json_decref(root);
    return are_messages;
}

ith_status ith_conversation_save(const ith_conversation *c, const char *path, ith_error *err)
{
    char *text, *line;
    ith_status status;

    if (access(path, F_OK) == 0 && !holds_messages(path))
        return ith_fail(err, ITH_E_ARGUMENT,
                        "%s exists and holds no conversation: give another name", path);
    text = ith_json_exact_text(c->messages, true);
    if (text == NULL || asprintf(&line, "%s\n", text) < 0) {
        free(text);
        return no_memory(err);
    }
    status = ith_newfile_text(AT_FDCWD, path, line, true, err);
    free(text);
    free(line);
    return status;
}
