/* chat.c - a chat at the terminal: one session that grows with the conversation.
 *
 *     cc chat.c -o chat $(pkg-config --cflags --libs ithaca)
 *     ./chat MODEL [SYSTEM_PROMPT]
 *     mpirun -n 4 ./chat MODEL
 *
 * A session holds the keys and values of all tokens so far. For each turn the whole conversation is
 * written in the model's chat template and compared with the tokens that the session holds. What
 * is equal at the beginning stays, and only the rest is computed: most often the last message
 * alone. Some templates change earlier turns; then the session is cut back to the first difference.
 *
 * Rank 0 reads, tokenizes and prints; all ranks compute. What rank 0 alone knows, it tells the
 * others with ith_world_bcast.
 */
#define _POSIX_C_SOURCE 200809L /* getline, strdup */
#include <ithaca.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

typedef struct chat {
    ith_world *world;
    ith_engine *engine;
    ith_session *session;

    /* On rank 0: the conversation, and the tokens of the session. */
    ith_message *messages;
    size_t n_messages;
    int32_t *tokens;
    size_t n_tokens;
} chat;

/* What rank 0 tells the others about a turn. */
typedef struct turn {
    int go_on;    /* 0: the input has ended */
    int64_t keep; /* tokens of the session that stay */
} turn;

/* For failures on rank 0 alone: the other ranks are waiting for it, so all of them must end. */
static void give_up(chat *c, const char *why)
{
    ith_world_abort(c->world, 1, why);
}

/* ---- Rank 0: the conversation ---------------------------------------------------------------- */

/* `content` is malloc'd and belongs to the conversation from now on. */
static void add_message(chat *c, const char *role, char *content)
{
    void *grown = realloc(c->messages, (c->n_messages + 1) * sizeof *c->messages);

    if (grown == NULL || content == NULL)
        give_up(c, "out of memory");
    c->messages = (ith_message *)grown;
    c->messages[c->n_messages].role = role;
    c->messages[c->n_messages].content = content;
    c->n_messages++;
}

/* Adds the next line of the input to the conversation, or returns false when the input ends. */
static bool read_message(chat *c)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    fputs("> ", stdout);
    fflush(stdout);
    len = getline(&line, &room, stdin);
    if (len < 0) {
        free(line);
        return false;
    }
    line[strcspn(line, "\n")] = '\0';
    add_message(c, "user", line);
    return true;
}

/* Replaces c->tokens by those of the conversation and returns how many were there before. At least
 * one token is left to compute, because logits come with it. */
static int64_t tokenize(chat *c)
{
    const ith_vocab *vocab = ith_engine_vocab(c->engine);
    ith_chat_params conversation = ith_chat_params_default();
    ith_error err;
    int32_t *tokens;
    size_t n, same = 0;

    conversation.messages = c->messages;
    conversation.n_messages = c->n_messages;
    if (ith_chat_tokenize(vocab, &conversation, &tokens, &n, NULL, &err))
        give_up(c, err.text);
    while (same < c->n_tokens && same + 1 < n && tokens[same] == c->tokens[same])
        same++;
    free(c->tokens);
    c->tokens = tokens;
    c->n_tokens = n;
    return (int64_t)same;
}

/* The session holds all tokens of an answer but the last. */
static void remember(chat *c, const ith_generation *answer)
{
    size_t n = answer->n_ids > 0 ? answer->n_ids - 1 : 0;
    void *grown = realloc(c->tokens, (c->n_tokens + n + 1) * sizeof *c->tokens);

    if (grown == NULL)
        give_up(c, "out of memory");
    c->tokens = (int32_t *)grown;
    if (n > 0)
        memcpy(c->tokens + c->n_tokens, answer->ids, n * sizeof *c->tokens);
    c->n_tokens += n;
    add_message(c, "assistant", strdup(answer->text != NULL ? answer->text : ""));
}

static bool show(void *user, const char *text, size_t len)
{
    (void)user;
    fwrite(text, 1, len, stdout);
    fflush(stdout);
    return true;
}

/* ---- All ranks ------------------------------------------------------------------------------- */

static turn next_turn(chat *c)
{
    turn t = {0, 0};

    if (ith_world_rank(c->world) == 0) {
        t.go_on = read_message(c);
        if (t.go_on)
            t.keep = tokenize(c);
    }
    ith_world_bcast(c->world, &t, sizeof t);
    return t;
}

static ith_status take_turn(chat *c, const turn *t, ith_error *err)
{
    ith_generate_params how = ith_generate_params_default(c->engine);
    ith_generation answer;
    ith_status status;
    int64_t keep = t->keep, room;

    /* c->tokens is NULL and n_tokens 0 on all ranks but rank 0, whose values count. */
    status = ith_session_truncate(c->session, keep, err);
    /* A window of the model's has moved on: begin anew. */
    if (status == ITH_E_UNSUPPORTED) {
        keep = 0;
        status = ith_session_truncate(c->session, keep, err);
    }
    if (status == ITH_OK)
        status = ith_session_prefill(c->session, c->tokens == NULL ? NULL : c->tokens + keep,
                                     c->tokens == NULL ? 0 : c->n_tokens - (size_t)keep, err);
    if (status != ITH_OK)
        return status;

    room = ith_engine_get_info(c->engine)->ctx - ith_session_length(c->session) + 1;
    if (how.max_tokens > room)
        how.max_tokens = room;
    how.on_text = show;
    status = ith_generate(c->session, &how, &answer, err);
    if (status == ITH_OK && ith_world_rank(c->world) == 0) {
        fputs("\n", stdout);
        remember(c, &answer);
    }
    ith_generation_free(&answer);
    return status;
}

static ith_status talk(chat *c, const char *model, const char *system_prompt, ith_error *err)
{
    ith_engine_params params = ith_engine_params_default();
    ith_status status;
    turn t;

    params.model = model;
    status = ith_engine_open(c->world, &params, &c->engine, err);
    if (status == ITH_OK)
        status = ith_session_open(c->engine, &c->session, err);
    if (status == ITH_OK && system_prompt != NULL && ith_world_rank(c->world) == 0)
        add_message(c, "system", strdup(system_prompt));
    while (status == ITH_OK && (t = next_turn(c)).go_on)
        status = take_turn(c, &t, err);
    return status;
}

int main(int argc, char **argv)
{
    chat c = {NULL, NULL, NULL, NULL, 0, NULL, 0};
    ith_error err;
    ith_status status;

    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: chat MODEL [SYSTEM_PROMPT]\n");
        return 2;
    }
    if (ith_world_open(&c.world, &err) != ITH_OK) {
        fprintf(stderr, "chat: %s\n", err.text);
        return 1;
    }
    status = talk(&c, argv[1], argc > 2 ? argv[2] : NULL, &err);
    if (status != ITH_OK && ith_world_rank(c.world) == 0)
        fprintf(stderr, "chat: %s\n", err.text);
    for (size_t i = 0; i < c.n_messages; i++)
        free((void *)c.messages[i].content);
    free(c.messages);
    free(c.tokens);
    ith_session_close(c.session);
    ith_engine_close(c.engine);
    ith_world_close(c.world);
    return status == ITH_OK ? 0 : 1;
}
