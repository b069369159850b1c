/* fuzz_chat.c - a chat that is taken up again. The input's parts: a file of messages, as --messages
 * reads it; one of tools; a chat template, "" for one of the target's own; a --template-arg; a
 * message that is typed.
 *
 * What is saved reads as it was. No text makes a special token: with the target's own template
 * there are as many as it writes itself. */
#include "cli/arguments.h"
#include "cli/chat_options.h"
#include "cli/conversation.h"
#include "tests/fuzz/byte_vocab.h"

static const char own_template[] =
    "{% for m in messages %}<|s|>{{ m.role }}\n{{ m.content }}{{ m.tool_calls }}<|e|>{% endfor %}"
    "{{ tools }}{% if add_generation_prompt %}<|s|>assistant\n{% endif %}";

static const ith_vocab *vocab(void)
{
    static ith_vocab *open;

    if (open == NULL)
        open = fuzz_byte_vocab(own_template);
    return open;
}

static void tokenize(const ith_conversation *c, bool answer, bool own)
{
    size_t special = 0, written = 2 * ith_conversation_length(c) + answer;
    ith_ids ids;
    ith_error err = {0};

    if (!fuzz_verdict(ith_conversation_ids(c, vocab(), answer, &ids, NULL, &err), &err))
        return;
    for (size_t i = 0; i < ids.n; i++) {
        fuzz_must(ids.data[i] >= 0 && ids.data[i] <= FUZZ_END);
        special += ids.data[i] >= FUZZ_BEGIN;
    }
    fuzz_must(!own || special == written);
    free(ids.data);
}

/* Saved, and read again. */
static void save(const ith_conversation *c)
{
    char path[128];
    const ith_chat_args args = {.messages = path};
    ith_conversation again;
    ith_error err = {0};

    snprintf(path, sizeof path, "%s/saved.json", fuzz_folder());
    unlink(path); /* what holds no conversation is not replaced */
    fuzz_must(ith_conversation_save(c, path, &err) == ITH_OK);
    fuzz_must(ith_conversation_open(&args, &again, &err) == ITH_OK);
    fuzz_must(json_equal(c->messages, again.messages));
    ith_conversation_close(&again);
}

static void go_on(ith_conversation *c, ith_bytes typed, bool own)
{
    size_t n = ith_conversation_length(c);
    ith_error err = {0};

    tokenize(c, false, own);
    save(c);
    fuzz_must(ith_conversation_add(c, "user", typed.data, typed.len, &err) == ITH_OK);
    fuzz_must(strcmp(ith_conversation_last_role(c), "user") == 0);
    tokenize(c, true, own);
    save(c);
    fuzz_must(ith_conversation_set_system(c, typed.data, &err) == ITH_OK);
    fuzz_must(typed.data[0] == '\0' || ith_conversation_system(c) != NULL);
    tokenize(c, true, own);
    ith_conversation_cut(c, n);
    fuzz_must(ith_conversation_length(c) <= n);
}

/* A part as a file; NULL: it is empty. */
static const char *file_of(const char *name, ith_bytes part, char path[128])
{
    snprintf(path, 128, "%s/%s", fuzz_folder(), name);
    fuzz_file(name, part);
    return part.len > 0 ? path : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ith_cli silent = {.rank = 1, .size = 2}; /* rank 1 prints nothing */
    ith_bytes messages = fuzz_part(&data, &size), tools = fuzz_part(&data, &size),
              template = fuzz_part(&data, &size), setting = fuzz_part(&data, &size),
              typed = fuzz_part(&data, &size);
    char path[3][128];
    ith_chat_args args = {.messages = file_of("messages.json", messages, path[0]),
                          .tools = file_of("tools.json", tools, path[1]),
                          .template = file_of("chat.jinja", template, path[2])};
    ith_conversation c;
    ith_error err = {0};

    if (setting.len > 0)
        args.settings.items[args.settings.n++] = setting.data;
    if (ith_chat_args_check(&silent, "chat", &args) == ITH_ARGS_OK) {
        if (fuzz_verdict(ith_conversation_open(&args, &c, &err), &err))
            go_on(&c, typed, args.template == NULL && args.settings.n == 0);
        ith_conversation_close(&c);
    }
    fuzz_part_free(messages);
    fuzz_part_free(tools);
    fuzz_part_free(template);
    fuzz_part_free(setting);
    fuzz_part_free(typed);
    return 0;
}
