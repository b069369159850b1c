/* RANKS: 1 3, long: 2 4
 *
 * test_speculation.c - speculation changes nothing but the number of passes: the tokens, logits and
 * timeline are the same, greedy and sampled, whoever guesses. Truncated timelines too.
 */
#include "tests/needle.h"

#include "engine/session.h"

enum { PROMPT = 400, GENERATED = 90 };

typedef struct result {
    int32_t ids[GENERATED];
    size_t n_ids;
    char sha[65];
} result;

static ith_engine *open_engine(const char *model, ith_quant quant, int64_t chunk)
{
    ith_engine_params params = ith_engine_params_default();

    params.model = model;
    params.threads = ith_world_size(world) == 1 ? 2 : 1;
    params.quant = quant;
    params.chunk = chunk;
    params.ctx = MAX_IDS;
    return must_open(&params);
}

/* The prompt is the passage twice, so that it has been seen before; the model writes the rest. Only
 * the counts of the returned generation are valid. */
static ith_generation generate(ith_engine *engine, const ith_generate_params *params, result *out)
{
    ith_session *session = must_open_session(engine);
    ith_generation answer, counts;
    ith_error err;

    must_prefill(session, ids, PROMPT);
    must_prefill(session, ids, PROMPT / 2);
    must(ith_generate(session, params, &answer, &err) == ITH_OK, "generate", &err);
    must(ith_session_length(session) == PROMPT + PROMPT / 2 + GENERATED - 1,
         "the timeline's length", NULL);
    must(answer.n_passes + answer.n_accepted == GENERATED - 1,
         "a token for every pass and right guess", NULL);
    ith_session_logits_sha256(session, out->sha);
    if (ith_world_rank(world) == 0) {
        must(answer.n_ids == GENERATED, "the answer's length", NULL);
        memcpy(out->ids, answer.ids, sizeof out->ids);
    }
    counts = answer;
    ith_generation_free(&answer);
    ith_session_close(session);
    return counts;
}

static void same_text(ith_engine *engine, ith_session *draft, ith_sampling sampling,
                      const char *name)
{
    static const int lengths[] = {15, 4, 1};
    ith_generate_params params = {
        .max_tokens = GENERATED, .ignore_eos = true, .sampling = sampling};
    result plain = {0}, guessed;
    ith_generation counts = generate(engine, &params, &plain);

    must(counts.n_drafted == 0 && counts.n_passes == GENERATED - 1, "no guesses when off", NULL);
    params.draft = draft;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        guessed = (result){0};
        params.max_draft = lengths[i];
        counts = generate(engine, &params, &guessed);
        must(counts.n_accepted > 0 && counts.n_drafted >= counts.n_accepted,
             "some guesses are right", NULL);
        must(memcmp(&plain, &guessed, sizeof plain) == 0, "the same tokens and logits", NULL);
        if (ith_world_rank(world) == 0)
            printf("ok the same, %s, drafts of %d # %lld of %lld guesses right\n", name, lengths[i],
                   (long long)counts.n_accepted, (long long)counts.n_drafted);
    }
}

static void with_chunk(int64_t chunk)
{
    const ith_sampling greedy = {.top_p = 1, .repeat_penalty = 1},
                       sampled = {.temperature = 0.8f,
                                  .top_k = 20,
                                  .top_p = 0.9f,
                                  .repeat_penalty = 1.05f,
                                  .repeat_window = 64,
                                  .seed = 5};
    ith_engine *engine = open_engine(NEEDLE_MODEL, ITH_QUANT_W8, chunk),
               *smaller = open_engine(NEEDLE_MODEL, ITH_QUANT_W4, chunk);
    ith_session *draft = must_open_session(smaller);

    same_text(engine, NULL, greedy, "greedy, prompt lookup");
    same_text(engine, NULL, sampled, "sampled, prompt lookup");
    same_text(engine, draft, greedy, "greedy, a drafting model");
    same_text(engine, draft, sampled, "sampled, a drafting model");
    ith_session_close(draft);
    ith_engine_close(smaller);
    ith_engine_close(engine);
}

static int64_t broadcasts(ith_engine *engine, int64_t n)
{
    const ith_comm *comm = engine->world->comm;
    const ith_generate_params params = {.max_tokens = n,
                                        .max_draft = ITH_DRAFT_MAX,
                                        .ignore_eos = true,
                                        .sampling = {.top_p = 1, .repeat_penalty = 1}};
    ith_session *session = must_open_session(engine);
    ith_generation answer;
    ith_error err;
    int64_t before;

    must_prefill(session, ids, PROMPT);
    before = comm->stats.bcast_calls;
    must(ith_generate(session, &params, &answer, &err) == ITH_OK, "generate", &err);
    before = comm->stats.bcast_calls - before - answer.n_passes;
    ith_generation_free(&answer);
    ith_session_close(session);
    return before;
}

/* Rank 0 tells the choice and what is to be computed in one message. */
static void one_broadcast_a_pass(void)
{
    ith_engine *engine = open_engine(NEEDLE_MODEL, ITH_QUANT_W8, 64);

    must(broadcasts(engine, 20) == broadcasts(engine, 40), "one broadcast a pass", NULL);
    ith_engine_close(engine);
    if (ith_world_rank(world) == 0)
        printf("ok one broadcast a pass\n");
}

static void other_vocabularies_are_refused(void)
{
    ith_engine *engine = open_engine(NEEDLE_MODEL, ITH_QUANT_W8, 64),
               *other = open_engine("tests/golden/qwen3-gqa4", ITH_QUANT_W8, 64);
    ith_session *session = must_open_session(engine), *draft = must_open_session(other);
    ith_generate_params params = {.max_tokens = 2,
                                  .max_draft = 2,
                                  .draft = draft,
                                  .sampling = {.top_p = 1, .repeat_penalty = 1}};
    ith_generation answer;
    ith_error err;

    must_prefill(session, ids, 10);
    must(ith_generate(session, &params, &answer, &err) == ITH_E_ARGUMENT,
         "another vocabulary is refused", NULL);
    must(strstr(err.text, "vocabulary") != NULL, "and the vocabulary named", &err);
    params.draft = NULL;
    params.max_draft = ITH_DRAFT_MAX + 1;
    must(ith_generate(session, &params, &answer, &err) == ITH_E_ARGUMENT,
         "too long drafts are refused", NULL);
    ith_session_close(draft);
    ith_session_close(session);
    ith_engine_close(other);
    ith_engine_close(engine);
    if (ith_world_rank(world) == 0)
        printf("ok other vocabularies and too long drafts are refused\n");
}

static void timelines_are_cut_back(void)
{
    ith_engine *engine = open_engine(NEEDLE_MODEL, ITH_QUANT_W8, 64);
    ith_session *session = must_open_session(engine);
    char direct[65], again[65];
    ith_error err;

    must_prefill(session, ids, 300);
    ith_session_logits_sha256(session, direct);
    must_prefill(session, ids + 500, 200);
    must(ith_session_truncate(session, 501, &err) == ITH_E_ARGUMENT, "more tokens than there are",
         NULL);
    must(ith_session_truncate(session, -1, &err) == ITH_E_ARGUMENT, "less than none", NULL);
    must(ith_session_truncate(session, 299, &err) == ITH_OK, "cut back", &err);
    must(ith_session_length(session) == 299 && ith_session_logits(session) == NULL,
         "no logits after a cut", NULL);
    must_decode(session, ids[299]);
    ith_session_logits_sha256(session, again);
    must(strcmp(direct, again) == 0, "the same bits after a cut", NULL);
    must(ith_session_truncate(session, 300, &err) == ITH_OK, "cut nothing", &err);
    must(ith_world_rank(world) != 0 || ith_session_logits(session) != NULL,
         "logits stay where nothing is cut", NULL);
    ith_session_close(session);
    ith_engine_close(engine);
    if (ith_world_rank(world) == 0)
        printf("ok timelines are cut back\n");
}

int main(void)
{
    if (!open_needle())
        return 1;
    with_chunk(512);
    with_chunk(7);
    one_broadcast_a_pass();
    other_vocabularies_are_refused();
    timelines_are_cut_back();
    ith_world_close(world);
    return 0;
}
