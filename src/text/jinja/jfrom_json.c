/* jfrom_json.c - values made of JSON, and of messages. */
#include "text/jinja/jvalue.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- From JSON ---- */

ith_jval ith_jfrom_json(ith_jrun *run, const json_t *json, ith_jorigin origin)
{
    ith_jval v = ith_jnone();

    ith_jrun_enter(run);
    ith_jrun_step(run, 1);
    switch (json_typeof(json)) {
    case JSON_OBJECT: {
        const char *name;
        json_t *member;
        ith_jdict *dict = ith_jdict_new(run, origin);
        json_object_foreach ((json_t *)json, name, member) {
            ith_jval key = ith_jstring(ith_jstr_new(run, name, strlen(name), origin));
            ith_jdict_set(run, dict, key, ith_jfrom_json(run, member, origin));
        }
        v = ith_jdict_value(dict);
        break;
    }
    case JSON_ARRAY: {
        ith_jlist *list = ith_jlist_new(run, json_array_size(json), origin);
        for (size_t i = 0; i < json_array_size(json); i++)
            ith_jlist_add(run, list, ith_jfrom_json(run, json_array_get(json, i), origin));
        v = ith_jlist_value(list, ITH_J_LIST);
        break;
    }
    case JSON_STRING:
        v = ith_jstring(
            ith_jstr_new(run, json_string_value(json), json_string_length(json), origin));
        break;
    case JSON_INTEGER:
        v = ith_jint(json_integer_value(json));
        break;
    case JSON_REAL:
        v = ith_jfloat(json_real_value(json));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        v = ith_jbool(json_is_true(json));
        break;
    default:
        break;
    }
    v.origin = (unsigned char)origin;
    ith_jrun_exit(run);
    return v;
}

static bool is_plain_word(const ith_jstr *s)
{
    for (size_t i = 0; i < s->len; i++) {
        char c = s->data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-'))
            return false;
    }
    return true;
}

ith_jval ith_jfrom_messages(ith_jrun *run, const json_t *json)
{
    ith_jval messages = ith_jfrom_json(run, json, ITH_JINPUT);
    ith_jval name = ith_jstring(ith_jstr_text(run, "role"));

    for (size_t i = 0; messages.kind == ITH_J_LIST && i < messages.as.list->n; i++) {
        ith_jval message = messages.as.list->items[i], *role = NULL;
        if (message.kind == ITH_J_DICT)
            role = ith_jdict_get(run, message.as.dict, name);
        if (role != NULL && role->kind == ITH_J_STRING && is_plain_word(role->as.str))
            role->as.str->origin = ITH_JTEMPLATE;
    }
    return messages;
}
