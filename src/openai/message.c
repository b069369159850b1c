/* message.c - gathers what an answer says, until it is asked for. */
#include "openai/message.h"

#include "base/checksum.h"
#include "openai/calls.h"
#include "openai/forms/form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct gathered {
    char *data; /* [len], malloc'd */
    size_t len, room;
} gathered;

struct ith_message_text {
    ith_calls *calls; /* NULL: there are neither tools nor thoughts */
    uint64_t key;
    bool begun; /* something was told */
    gathered text, thought, arguments;
    json_t *list; /* calls; the arguments of the last are in `arguments` */
};

static bool gather(gathered *g, const char *text, size_t len)
{
    size_t room = g->room;
    char *grown;

    if (g->len + len + 1 > room) {
        room = 2 * (g->len + len + 1);
        grown = realloc(g->data, room);
        if (grown == NULL)
            return false;
        g->data = grown;
        g->room = room;
    }
    if (len > 0)
        memcpy(g->data + g->len, text, len);
    g->len += len;
    return true;
}

/* What was gathered, which is forgotten. */
static json_t *taken(gathered *g)
{
    json_t *text = ith_json_bytes(g->len > 0 ? g->data : "", g->len);

    g->len = 0;
    return text;
}

/* ---- Calls ---- */

/* Nine letters and digits: the only ids that Mistral's templates accept, and no others ask for
 * more. */
static json_t *id_of(const ith_message_text *m, size_t call)
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    const uint64_t number = call;
    uint64_t rest = ith_checksum_more(m->key, &number, sizeof number);
    char id[10] = {0};

    for (size_t i = 0; i < 9; i++) {
        id[i] = digits[rest % 62];
        rest /= 62;
    }
    return json_string(id);
}

/* The arguments that were gathered go to their call. */
static bool settle(ith_message_text *m)
{
    json_t *call = json_array_get(m->list, json_array_size(m->list) - 1),
           *function = json_object_get(call, "function");

    if (json_array_size(m->list) == 0)
        return true;
    return json_object_set_new(function, "arguments", taken(&m->arguments)) == 0;
}

/* A call, or what is new of one whose name was told: then `said` is not its beginning. */
static bool list_call(ith_message_text *m, const ith_said *said)
{
    size_t call = said->call;
    json_t *entry =
        json_pack("{s:I, s:{s:s}}", "index", (json_int_t)call, "function", "arguments", "");

    if (!settle(m)) {
        json_decref(entry);
        return false;
    }
    if (entry != NULL && said->kind == ITH_SAID_CALL) {
        json_object_set_new(entry, "id", said->id != NULL ? json_string(said->id) : id_of(m, call));
        json_object_set_new(entry, "type", json_string("function"));
        json_object_set_new(json_object_get(entry, "function"), "name",
                            json_stringn(said->text, said->len));
    }
    return json_array_append_new(m->list, entry) == 0;
}

/* An ith_said_fn. */
static bool take_said(void *user, const ith_said *said)
{
    ith_message_text *m = user;

    switch (said->kind) {
    case ITH_SAID_TEXT:
        return gather(&m->text, said->text, said->len);
    case ITH_SAID_THOUGHT:
        return gather(&m->thought, said->text, said->len);
    case ITH_SAID_CALL:
        return list_call(m, said);
    case ITH_SAID_ARGUMENTS:
        break;
    }
    if (json_array_size(m->list) == 0 && !list_call(m, said))
        return false;
    return gather(&m->arguments, said->text, said->len);
}

/* ---- The message ---- */

ith_message_text *ith_message_open(const ith_request *r, const char *key)
{
    ith_message_text *m = calloc(1, sizeof *m);
    bool calls = r->tools.functions != NULL || r->speech.form == &ith_form_harmony;
    const ith_calls_params params = {.form = calls ? r->speech.form : NULL,
                                     .functions = r->tools.functions,
                                     .only_one = r->tools.only_one,
                                     .marks = r->speech.marks,
                                     .thinks = r->speech.thinks,
                                     .said = take_said,
                                     .user = m};
    bool parses = params.form != NULL || params.marks != NULL;

    if (m == NULL)
        return NULL;
    m->key = ith_checksum(key, strlen(key));
    m->list = json_array();
    if (parses)
        m->calls = ith_calls_open(&params);
    if (m->list == NULL || (parses && m->calls == NULL) ||
        (m->calls != NULL &&
         !ith_calls_push(m->calls, r->tools.opening, strlen(r->tools.opening), false))) {
        ith_message_close(m);
        return NULL;
    }
    return m;
}

void ith_message_close(ith_message_text *m)
{
    if (m == NULL)
        return;
    ith_calls_close(m->calls);
    json_decref(m->list);
    free(m->text.data);
    free(m->thought.data);
    free(m->arguments.data);
    free(m);
}

bool ith_message_push(ith_message_text *m, const char *text, size_t len, bool last)
{
    return m->calls != NULL ? ith_calls_push(m->calls, text, len, last)
                            : gather(&m->text, text, len);
}

bool ith_message_is_thinking(const ith_message_text *m)
{
    return m->calls != NULL && ith_calls_is_thinking(m->calls);
}

bool ith_message_has_news(const ith_message_text *m)
{
    return m->text.len > 0 || m->thought.len > 0 || json_array_size(m->list) > 0;
}

/* A whole message has a content, if only none; a delta what is new. */
static json_t *content_of(ith_message_text *m, bool delta)
{
    bool said = m->text.len > 0 || m->calls == NULL, calls = json_array_size(m->list) > 0;

    if (said || (!delta && !calls))
        return taken(&m->text);
    return json_null();
}

/* The list, which becomes empty. */
static json_t *take_list(ith_message_text *m, bool delta)
{
    json_t *list = m->list, *call;
    size_t i;

    m->list = json_array();
    json_array_foreach (list, i, call)
        if (!delta)
            json_object_del(call, "index");
    return list;
}

json_t *ith_message_json(ith_message_text *m, bool delta)
{
    json_t *message = json_object(), *content = content_of(m, delta);
    bool fine = message != NULL && settle(m);

    if (fine && (!delta || !m->begun))
        fine = json_object_set_new(message, "role", json_string("assistant")) == 0;
    if (fine && (!delta || !m->begun || !json_is_null(content)))
        fine = json_object_set(message, "content", content) == 0;
    if (fine && m->thought.len > 0)
        fine = json_object_set_new(message, "reasoning_content", taken(&m->thought)) == 0;
    if (fine && json_array_size(m->list) > 0)
        fine =
            json_object_set_new(message, "tool_calls", take_list(m, delta)) == 0 && m->list != NULL;
    json_decref(content);
    m->begun = true;
    if (fine)
        return message;
    json_decref(message);
    return NULL;
}

const char *ith_message_stop(const ith_message_text *m)
{
    return m->calls != NULL && ith_calls_count(m->calls) > 0 && !ith_calls_is_cut(m->calls)
               ? "tool_calls"
               : "stop";
}
