/* fuzz_bodies.c - a body for the server: e, r or p for embeddings, ranking, or a response; the body
 * itself; for a response, what the model answers.
 *
 * Texts and documents of an accepted request are there. A response becomes a chat, its answer
 * events, which are numbered in order and end with the response. */
#include "openai/request.h"
#include "openai/responses.h"
#include "openai/texts_request.h"
#include "tests/fuzz/fuzz.h"

enum { MOST = 64 };

static void embeddings(json_t *body)
{
    ith_embeddings_request r = {0};
    const char *param = NULL;
    ith_error err = {0};

    if (!fuzz_verdict(ith_embeddings_request_read(&r, body, MOST, &param, &err), &err))
        return;
    fuzz_must(r.n >= 1 && r.n <= MOST && r.dimensions >= 0);
    for (size_t i = 0; i < r.n; i++) {
        const json_t *text = ith_embeddings_request_text(&r, i);
        fuzz_must(json_is_string(text) || json_is_array(text));
    }
}

static void rerank(json_t *body)
{
    ith_rerank_request r = {0};
    const char *param = NULL;
    ith_error err = {0};

    if (!fuzz_verdict(ith_rerank_request_read(&r, body, MOST, &param, &err), &err))
        return;
    fuzz_must(r.query != NULL && r.top_n >= 0 && json_array_size(r.documents) <= MOST);
    for (size_t i = 0; i < json_array_size(r.documents); i++)
        fuzz_must(json_is_string(ith_rerank_request_document(&r, i)));
}

static void tell(const json_t *body, ith_bytes answer)
{
    ith_response *r = ith_response_open(body, "resp_0", "model", 0);
    json_t *events = json_array(), *text = ith_json_bytes(answer.data, answer.len),
           *delta = json_pack("{s:O, s:O}", "content", text, "reasoning_content", text);
    const json_t *event;
    size_t i;

    fuzz_must(r != NULL && delta != NULL);
    fuzz_must(ith_response_begin(r, events) && ith_response_delta(r, delta, events));
    fuzz_must(ith_response_end(r, answer.len % 2 != 0 ? "stop" : "length", delta, events));
    json_array_foreach (events, i, event)
        fuzz_must(json_integer_value(json_object_get(event, "sequence_number")) == (json_int_t)i);
    event = json_array_get(events, i - 1);
    fuzz_must(json_is_object(json_object_get(event, "response")));
    ith_response_close(r);
    json_decref(events);
    json_decref(delta);
    json_decref(text);
}

static void response(const json_t *body, ith_bytes answer)
{
    ith_request r = {.chat = true, .served = true, .prefix = ""};
    json_t *chat = NULL;
    const char *param = NULL;
    ith_error err = {0};

    r.how.sampling.repeat_penalty = 1;
    if (fuzz_verdict(ith_responses_to_chat(body, &chat, &param, &err), &err) &&
        fuzz_verdict(ith_request_read(&r, chat, &err), &err)) {
        fuzz_must(r.messages != NULL && r.n == 1);
        tell(body, answer);
    }
    ith_request_free(&r);
    json_decref(chat);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes kind = fuzz_part(&data, &size), text = fuzz_part(&data, &size),
              answer = fuzz_part(&data, &size);
    json_t *body = NULL;
    ith_error err = {0};

    if (ith_request_is_flat(text.data, text.len) &&
        fuzz_verdict(ith_json_parse(text.data, text.len, "the body", &body, &err), &err) &&
        json_is_object(body)) {
        if (kind.data[0] == 'e')
            embeddings(body);
        else if (kind.data[0] == 'r')
            rerank(body);
        else
            response(body, answer);
    }
    json_decref(body);
    fuzz_part_free(kind);
    fuzz_part_free(text);
    fuzz_part_free(answer);
    return 0;
}
