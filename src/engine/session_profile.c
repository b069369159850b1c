/* session_profile.c - writes the profile of a session as JSON. */
#include "engine/session.h"
#include "ithaca_tools.h"

#include "base/fpenv.h"
#include "base/json.h"

ith_status ith_session_profile_start(ith_session *session, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    return session->profile != NULL
               ? ITH_OK
               : ith_profile_open((int)session->engine->model->hp.n_layers, session->engine->store,
                                  session->engine->world->comm, &session->profile, err);
}

static json_t *entry_json(const ith_profile_entry *entry)
{
    const int64_t *ns = entry->ns;
    int64_t all = 0;

    for (int i = 0; i < ITH_LAPS; i++)
        all += ns[i];
    return json_pack(
        "{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I}", "seconds", (double)all * 1e-9,
        "weights_s", (double)ns[ITH_LAP_WEIGHTS] * 1e-9, "products_s",
        (double)ns[ITH_LAP_PRODUCTS] * 1e-9, "attention_s", (double)ns[ITH_LAP_ATTENTION] * 1e-9,
        "exchange_s", (double)(ns[ITH_LAP_EXCHANGE] + ns[ITH_LAP_GATHER] + ns[ITH_LAP_WAIT]) * 1e-9,
        "wait_s", (double)ns[ITH_LAP_WAIT] * 1e-9, "rest_s", (double)ns[ITH_LAP_REST] * 1e-9,
        "stall_s", (double)entry->fed.stall_ns * 1e-9, "read_bytes", (json_int_t)entry->fed.read,
        "unpacked_bytes", (json_int_t)entry->fed.unpacked, "gathered_bytes",
        (json_int_t)entry->fed.gathered);
}

static json_t *phase_json(const ith_profile *p, ith_phase phase)
{
    const ith_profile_phase *f = &p->phases[phase];
    ith_profile_entry sum = ith_profile_sum(p, phase);
    json_t *json = entry_json(&sum), *layers = json_array();

    for (int i = 0; i < p->n_layers; i++)
        json_array_append_new(layers, entry_json(&f->entries[i]));
    json_object_set_new(json, "passes", json_integer(f->passes));
    json_object_set_new(json, "tokens", json_integer(f->tokens));
    json_object_set_new(json, "layers", layers);
    json_object_set_new(json, "outside", entry_json(&f->entries[p->n_layers]));
    return json;
}

ith_status ith_session_profile(const ith_session *s, char **json, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    json_t *root;

    *json = NULL;
    if (s->profile == NULL)
        return ith_fail(
            err, ITH_E_ARGUMENT,
            "the session's passes were not measured: ith_session_profile_start was not called");
    root = json_pack("{s:i, s:o, s:o}", "rank", s->engine->world->comm->rank, "prefill",
                     phase_json(s->profile, ITH_PHASE_PREFILL), "decode",
                     phase_json(s->profile, ITH_PHASE_DECODE));
    *json = root == NULL ? NULL : ith_json_text(root, false);
    json_decref(root);
    return *json == NULL ? ith_fail(err, ITH_E_MEMORY, "no memory for a profile") : ITH_OK;
}

/* ---- Traces ---- */

ith_status ith_session_trace_start(ith_session *session, ith_error *err)
{
    ITH_DEFAULT_FPENV;
    ITH_NEED_ERROR(err);
    ith_comm *comm = session->engine->world->comm;
    ith_status status = ith_session_profile_start(session, err);

    /* All ranks begin at about one moment. */
    status = ith_comm_agree(comm, status, err);
    if (status == ITH_OK && session->profile->trace == NULL)
        status = ith_trace_open(session->profile->n_layers, session->engine->store,
                                &session->profile->trace, err);
    return ith_comm_agree(comm, status, err);
}
