/* chat_options.h - the options of a conversation, and what they mean to the library. Rank 0 reads
 * the files. */
#ifndef ITH_CLI_CHAT_OPTIONS_H
#define ITH_CLI_CHAT_OPTIONS_H

#include "cli/input.h"
#include "cli/option.h"

typedef struct ith_chat_args {
    const char *system;       /* --system, or NULL */
    const char *messages;     /* --messages, or NULL: a file */
    const char *tools;        /* --tools, or NULL: a file */
    const char *template;     /* --chat-template, or NULL: a file, or a name */
    ith_option_list settings; /* --template-arg: "name=value" */
    int thinking;             /* ith_thinking */
    bool parse_special;       /* markers are tokens in messages too */
} ith_chat_args;

extern const ith_option_group ith_group_chat;

#define ITH_NOTE_PLAIN_MARKERS                                                                     \
    "the text contains markers of the model's template; they are read as text (--parse-special: "  \
    "as tokens)"

/* Was one of them given? They are of no use without a chat template. */
bool ith_chat_args_given(const ith_chat_args *args);

/* ITH_ARGS_OK, or the exit code of what is wrong. */
int ith_chat_args_check(const ith_cli *cli, const char *command, const ith_chat_args *args);

/* What they say, with the files' contents. {0} is a conversation without messages. */
typedef struct ith_chat_inputs {
    ith_text messages, tools, template;
    char *settings; /* a JSON object, or NULL */
    ith_message list[2];
    ith_chat_params params; /* points to the above */
} ith_chat_inputs;

/* Reads and checks them. `user`, or NULL, is one more turn; it must outlive *out, which must not be
 * moved. Free it also after a failure. */
ith_status ith_chat_inputs_read(const ith_chat_args *args, const char *user, ith_chat_inputs *out,
                                ith_error *err);
void ith_chat_inputs_free(ith_chat_inputs *inputs);

#endif
