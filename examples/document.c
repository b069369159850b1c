/* document.c - questions about a long document, which is computed only once.
 *
 *     cc document.c -o document $(pkg-config --cflags --libs ithaca)
 *     ./document MODEL FILE QUESTION...
 *     ./document -c FOLDER MODEL FILE QUESTION...
 *     mpirun -n 4 ./document MODEL FILE QUESTION...
 *
 * A program that embeds Ithaca for work on one text shows here the two ways to compute it once:
 *
 *   in memory   One session serves all questions. Before the next one it is cut back to the end of
 *               the document, which costs nothing.
 *   on disk     With -c each question has a session of its own, and all of them use the prompt
 *               cache in FOLDER. So do later runs, on any number of ranks. It holds whole segments
 *               of 1,024 tokens, so short documents gain nothing.
 *
 * Answers are printed on stdout; what was computed, and how long it took, on stderr.
 *
 * The library computes logits, not hidden states: it answers questions about a document, but gives
 * no vectors for a search in many of them.
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include <ithaca.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct reader {
    ith_world *world;
    ith_engine *engine;
    ith_session *session;
    const char *cache; /* folder of the prompt cache, or NULL */

    /* On rank 0: the text, and the tokens of the last question's prompt. */
    char *document;
    int32_t *tokens;
    size_t n_tokens;
} reader;

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* For failures on rank 0 alone: the other ranks are waiting for it, so all of them must end. */
static void give_up(reader *r, const char *why)
{
    ith_world_abort(r->world, 1, why);
}

/* ---- Rank 0: text and tokens ----------------------------------------------------------------- */

static void read_document(reader *r, const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t len = 0, room = 1 << 16;

    if (file == NULL) {
        fprintf(stderr, "document: %s: %s\n", path, strerror(errno));
        give_up(r, "the document cannot be read");
    }
    do {
        room *= 2;
        r->document = (char *)realloc(r->document, room);
        if (r->document == NULL)
            give_up(r, "out of memory");
        len += fread(r->document + len, 1, room - len - 1, file);
    } while (len == room - 1);
    r->document[len] = '\0';
    fclose(file);
}

/* Document and question as one message, in the model's chat template. Returns the tokens. */
static int32_t *prompt_tokens(reader *r, const char *question, size_t *n)
{
    size_t room = strlen(r->document) + strlen(question) + 3;
    char *content = (char *)malloc(room);
    ith_chat_params chat = ith_chat_params_default();
    ith_message message;
    ith_error err;
    int32_t *tokens;

    if (content == NULL)
        give_up(r, "out of memory");
    snprintf(content, room, "%s\n\n%s", r->document, question);
    message.role = "user";
    message.content = content;
    chat.messages = &message;
    chat.n_messages = 1;
    if (ith_chat_tokenize(ith_engine_vocab(r->engine), &chat, &tokens, n, NULL, &err))
        give_up(r, err.text);
    free(content);
    return tokens;
}

/* Replaces r->tokens by those of the next prompt and returns how many are the same as before: those
 * of the document. At least one token is left to compute, because logits come with it. */
static int64_t next_prompt(reader *r, const char *question)
{
    size_t n, same = 0;
    int32_t *tokens = prompt_tokens(r, question, &n);

    while (same < r->n_tokens && same + 1 < n && tokens[same] == r->tokens[same])
        same++;
    free(r->tokens);
    r->tokens = tokens;
    r->n_tokens = n;
    return (int64_t)same;
}

static bool show(void *user, const char *text, size_t len)
{
    (void)user;
    fwrite(text, 1, len, stdout);
    fflush(stdout);
    return true;
}

static void warn(void *user, const char *text)
{
    (void)user;
    fprintf(stderr, "document: %s\n", text);
}

/* ---- All ranks ------------------------------------------------------------------------------- */

/* An empty session that reads from the prompt cache and writes to it. */
static ith_status open_cached(reader *r, ith_error *err)
{
    ith_keep_params keep;
    ith_status status;

    memset(&keep, 0, sizeof keep);
    keep.cache = r->cache;
    keep.warn = warn;
    ith_session_close(r->session);
    status = ith_session_open(r->engine, &r->session, err);
    return status == ITH_OK ? ith_session_keep(r->session, &keep, err) : status;
}

/* Leaves the first `same` tokens of the last prompt in the session, or with a cache none: the
 * prefill finds them. */
static ith_status begin(reader *r, int64_t same, ith_error *err)
{
    ith_status status;

    if (r->cache != NULL)
        return open_cached(r, err);
    if (r->session == NULL)
        return ith_session_open(r->engine, &r->session, err);
    status = ith_session_truncate(r->session, same, err);
    if (status == ITH_E_UNSUPPORTED) /* a window of the model's has moved on: begin anew */
        status = ith_session_truncate(r->session, 0, err);
    return status;
}

static ith_status answer_it(reader *r, ith_error *err)
{
    ith_generate_params how = ith_generate_params_default(r->engine);
    int64_t room = ith_engine_get_info(r->engine)->ctx - ith_session_length(r->session) + 1;
    ith_generation answer;
    ith_status status;

    if (how.max_tokens > room)
        how.max_tokens = room;
    how.max_draft = ITH_DRAFT_MAX; /* answers often quote the document: guess from it */
    how.on_text = show;
    status = ith_generate(r->session, &how, &answer, err);
    if (status == ITH_OK && ith_world_rank(r->world) == 0)
        fputs("\n", stdout);
    ith_generation_free(&answer);
    return status;
}

static ith_status ask(reader *r, const char *question, ith_error *err)
{
    int64_t held, computed, same = 0;
    double start = seconds(), ready;
    ith_status status;

    if (ith_world_rank(r->world) == 0)
        same = next_prompt(r, question);
    ith_world_bcast(r->world, &same, sizeof same);
    status = begin(r, same, err);
    if (status != ITH_OK)
        return status;

    /* r->tokens is NULL and n_tokens 0 on all ranks but rank 0, whose values count. */
    held = ith_session_length(r->session);
    status = ith_session_prefill(r->session, r->tokens == NULL ? NULL : r->tokens + held,
                                 r->tokens == NULL ? 0 : r->n_tokens - (size_t)held, err);
    if (status != ITH_OK)
        return status;
    held += ith_session_restored(r->session);
    computed = ith_session_length(r->session) - held;
    ready = seconds();
    status = answer_it(r, err);
    if (status == ITH_OK && ith_world_rank(r->world) == 0)
        fprintf(stderr, "document: %lld tokens kept, %lld computed; prompt %.2f s, answer %.2f s\n",
                (long long)held, (long long)computed, ready - start, seconds() - ready);
    return status;
}

static ith_status read_and_ask(reader *r, char **args, int n_args, ith_error *err)
{
    ith_engine_params params = ith_engine_params_default();
    ith_status status;

    params.model = args[0];
    status = ith_engine_open(r->world, &params, &r->engine, err);
    if (status == ITH_OK && ith_world_rank(r->world) == 0)
        read_document(r, args[1]);
    for (int i = 2; status == ITH_OK && i < n_args; i++)
        status = ask(r, args[i], err);
    return status;
}

int main(int argc, char **argv)
{
    reader r = {NULL, NULL, NULL, NULL, NULL, NULL, 0};
    int first = 1;
    ith_error err;
    ith_status status;

    if (argc > 2 && strcmp(argv[1], "-c") == 0) {
        r.cache = argv[2];
        first = 3;
    }
    if (argc - first < 3) {
        fprintf(stderr, "usage: document [-c FOLDER] MODEL FILE QUESTION...\n");
        return 2;
    }
    if (ith_world_open(&r.world, &err) != ITH_OK) {
        fprintf(stderr, "document: %s\n", err.text);
        return 1;
    }
    status = read_and_ask(&r, argv + first, argc - first, &err);
    if (status != ITH_OK && ith_world_rank(r.world) == 0)
        fprintf(stderr, "document: %s\n", err.text);
    free(r.document);
    free(r.tokens);
    ith_session_close(r.session);
    ith_engine_close(r.engine);
    ith_world_close(r.world);
    return status == ITH_OK ? 0 : 1;
}
