/* recur.c - recurrent blocks: rows to the holders of states, states through the tokens, results
 * back. */
#include "model/blocks/recur.h"

#include "base/finite.h"
#include "model/blocking.h"

#include <math.h>
#include <string.h>

/* Columns of a head's state that a thread takes through the tokens at a time: they stay in the
 * first-level cache. */
enum { PANEL_COLS = 2 * ITH_STATE_COLS };

static bool by_tokens(const ith_pass *p)
{
    return !p->way->all_tokens && p->comm->size > 1;
}

static ith_range heads_of(const ith_recur *r, int rank)
{
    return ith_recurrent_heads(&r->shape, r->pass->comm->size, rank);
}

static ith_range groups_of(const ith_recur *r, int rank)
{
    return ith_recurrent_groups(&r->shape, r->pass->comm->size, rank);
}

static int64_t width_of(const ith_recur *r, int rank)
{
    return ith_recurrent_width(&r->shape, r->pass->comm->size, rank);
}

void ith_recur_open(ith_recur *r)
{
    const ith_comm *comm = r->pass->comm;

    r->heads = heads_of(r, comm->rank);
    r->groups = groups_of(r, comm->rank);
    r->width = width_of(r, comm->rank);
    r->mixed = r->width + ith_range_size(r->heads) * r->more;
    r->made_heads = r->heads;
    r->made_groups = r->groups;
    if (by_tokens(r->pass)) {
        r->made_heads = (ith_range){0, r->shape.heads};
        r->made_groups = (ith_range){0, r->shape.groups};
    }
}

/* Floats of a token's results that a rank computes. */
static int64_t results_of(const ith_recur *r, int rank)
{
    return ith_range_size(heads_of(r, rank)) * r->shape.out;
}

static int64_t my_results(const ith_recur *r)
{
    return ith_range_size(r->heads) * r->shape.out;
}

/* ---- Exchanges of all ranks: one side has a block of my tokens for each rank, of so many floats a
 * token (`of`), the other the blocks of all tokens in the order of slots ---- */

typedef int64_t (*floats_fn)(const ith_recur *r, int rank);

static void count_my_blocks(const ith_recur *r, floats_fn of, ith_comm_counts to)
{
    int64_t at = 0, n = ith_range_size(r->pass->mine);

    for (int i = 0; i < r->pass->comm->size; i++, at += to.counts[i - 1]) {
        to.counts[i] = n * of(r, i) * (int64_t)sizeof(float);
        to.displs[i] = at;
    }
}

static void count_slots(const ith_recur *r, int64_t floats, ith_comm_counts to)
{
    const ith_pass *p = r->pass;

    for (int i = 0; i < p->comm->size; i++) {
        ith_range slots = ith_mesh_slots(&p->mesh, p->n, i);
        to.counts[i] = ith_range_size(slots) * floats * (int64_t)sizeof(float);
        to.displs[i] = slots.begin * floats * (int64_t)sizeof(float);
    }
}

/* No rank sends or receives more for n tokens. The first rank has the most heads. A row is as long
 * as a head's results at least. */
static int64_t most_bytes(const ith_mesh *mesh, const ith_recurrent_shape *shape, int64_t n)
{
    int64_t all = 0, widest = 0;

    for (int r = 0; r < mesh->ranks; r++) {
        int64_t width = ith_recurrent_width(shape, mesh->ranks, r);
        ith_range heads = ith_recurrent_heads(shape, mesh->ranks, r);
        all += width;
        widest = ith_max(widest, ith_max(width, ith_range_size(heads) * shape->out));
    }
    return ith_max(ith_mesh_most_slots(mesh, n) * ith_max(all, shape->heads * shape->out),
                   n * widest) *
           (int64_t)sizeof(float);
}

static void exchange(const ith_recur *r, const float *from, ith_comm_counts send, float *to,
                     ith_comm_counts recv)
{
    const ith_pass *p = r->pass;
    ith_comm_alltoall(p->comm, &(ith_alltoall){from, send.counts, send.displs, to, recv.counts,
                                               recv.displs, most_bytes(&p->mesh, &r->shape, p->n)});
}

static ith_comm_counts side(const ith_recur *r, int which)
{
    return ith_workspace_counts(r->pass->ws, r->pass->comm->size, 0, which);
}

/* ---- Rows ---- */

static void make_rows(const ith_recur *r, ith_member *me)
{
    ith_pass *p = r->pass;
    int64_t n = ith_range_size(p->mine);
    ith_range share = ith_my_share(me, n, 1);

    for (int64_t t = share.begin; t < share.end && !by_tokens(p); t++)
        r->ops->make(r, t, r->heads, r->groups, r->work->rows + t * r->width);
    if (by_tokens(p)) {
        float *to = r->work->rows_out;
        for (int i = 0; i < p->comm->size; to += n * width_of(r, i++))
            for (int64_t t = share.begin; t < share.end; t++)
                r->ops->make(r, t, heads_of(r, i), groups_of(r, i), to + t * width_of(r, i));
    }
    ith_barrier(me);
    ith_pass_lap(p, me, r->layer, ITH_LAP_REST);
    if (!by_tokens(p))
        return;
    if (me->tid == 0) {
        count_my_blocks(r, width_of, side(r, 0));
        count_slots(r, r->width, side(r, 1));
        exchange(r, r->work->rows_out, side(r, 0), r->work->rows, side(r, 1));
    }
    ith_barrier(me);
    ith_pass_lap(p, me, r->layer, ITH_LAP_EXCHANGE);
}

/* The row of the pass's token `token`. */
static const float *row_of(const ith_recur *r, int64_t token)
{
    const ith_pass *p = r->pass;
    int64_t slot = by_tokens(p) ? ith_mesh_slot(&p->mesh, p->n, token) : token;
    return r->work->rows + slot * r->width;
}

/* ---- A span's step: what becomes of the state of its timeline in this layer ---- */

typedef struct step {
    ith_recurrent_layer *state;
    int64_t first, n; /* tokens of the pass */
    int64_t pos;      /* of the first of them in the timeline */
    bool fresh;       /* the state begins with zeros */
    int64_t saved_at; /* what `saved` has seen before, and what it has seen after the step */
    int64_t next_saved_at;
    bool again; /* `now` goes on from `saved`: the timeline was cut back, or read from disk */
} step;

static step step_of(const ith_recur *r, int span, int64_t first)
{
    const ith_span *s = &r->pass->spans[span];
    ith_recurrent_layer *l = &s->state->recurrent->layers[r->layer];
    step st = {.state = l, .first = first, .n = s->n, .pos = s->pos};

    st.fresh = s->pos == 0 || s->pos < l->saved_at || s->pos > l->at;
    st.saved_at = st.fresh ? s->pos : l->saved_at;
    st.again = !st.fresh && (s->pos < l->at || l->stale);
    st.next_saved_at = st.saved_at;
    if (s->pos + s->n - st.saved_at > ITH_RECURRENT_LOG || s->state->recurrent->to_save)
        st.next_saved_at = ith_max(st.saved_at, s->pos + s->n - ITH_RECURRENT_BACK);
    return st;
}

/* Row i of the log: of token saved_at - taps + i. */
static float *log_row(const step *s, int64_t i)
{
    return s->state->log + i * s->state->width;
}

/* My heads' states are cut into panels of columns; they are numbered head by head. */
static int64_t n_panels(const ith_recur *r)
{
    return ith_range_size(r->heads) * ((r->shape.out + PANEL_COLS - 1) / PANEL_COLS);
}

typedef struct panel {
    int64_t head; /* counted from my first */
    ith_range cols;
    int64_t at, floats; /* of the states of my heads */
} panel;

static panel panel_of(const ith_recur *r, int64_t i)
{
    int64_t of_head = (r->shape.out + PANEL_COLS - 1) / PANEL_COLS;
    ith_range cols = {i % of_head * PANEL_COLS,
                      ith_min((i % of_head + 1) * PANEL_COLS, r->shape.out)};

    return (panel){i / of_head, cols, i / of_head * r->shape.cells + cols.begin * r->state_rows,
                   ith_round_up(ith_range_size(cols), ITH_STATE_COLS) * r->state_rows};
}

/* ---- Before the pass's tokens: a fresh state, or one that goes over tokens in the log ---- */

static void clear(const step *s, ith_member *me)
{
    ith_recurrent_layer *l = s->state;
    ith_range states =
                  ith_my_share(me, 2 * ith_range_size(l->heads) * l->shape.cells, ITH_STATE_COLS),
              rows = ith_my_share(me, l->shape.taps * l->width, 1);

    memset(l->now + states.begin, 0, (size_t)ith_range_size(states) * sizeof *l->now);
    memset(l->log + rows.begin, 0, (size_t)ith_range_size(rows) * sizeof *l->log);
}

static void mix_log(const ith_recur *r, const step *s, int64_t n, ith_member *me)
{
    ith_range share = ith_my_share(me, n, 1);

    for (int64_t t = share.begin; t < share.end; t++) {
        const float *rows[ITH_MAX_TAPS];
        for (int64_t j = 0; j <= r->shape.taps; j++)
            rows[j] = log_row(s, t + j);
        r->ops->mix(r, rows, r->work->mixed + t * r->mixed);
    }
    ith_barrier(me);
}

/* `now` has seen `again` tokens after `saved`, and then `saved` moves on by `further`. */
static void go_over_log(const ith_recur *r, const step *s, int64_t again, int64_t further,
                        ith_member *me)
{
    float *unused = r->pass->ws->scratch[me->tid];
    ith_range share = ith_my_share(me, n_panels(r), 1);

    for (int64_t i = share.begin; i < share.end; i++) {
        panel p = panel_of(r, i);
        float *now = s->state->now + p.at, *saved = s->state->saved + p.at;
        if (again >= 0) {
            memcpy(now, saved, (size_t)p.floats * sizeof *now);
            r->ops->advance(r, p.head, p.cols, now, r->work->mixed, again, unused, PANEL_COLS);
        }
        r->ops->advance(r, p.head, p.cols, saved, r->work->mixed, further, unused, PANEL_COLS);
    }
    ith_barrier(me);
}

static void catch_up(const ith_recur *r, const step *s, ith_member *me)
{
    int64_t again = s->again ? s->pos - s->saved_at : -1,
            further = s->next_saved_at <= s->pos ? s->next_saved_at - s->saved_at : 0;

    if (s->fresh) {
        clear(s, me);
        ith_barrier(me);
    } else if (r->shape.cells > 0 && (again >= 0 || further > 0)) {
        mix_log(r, s, ith_max(again, further), me);
        go_over_log(r, s, again, further, me);
    }
}

/* ---- The pass's tokens ---- */

/* Convolutions read the rows of the tokens before, which for the first ones are in the log. */
static void mix_token(const ith_recur *r, const step *s, int64_t t, float *mixed)
{
    const float *rows[ITH_MAX_TAPS];
    int64_t taps = r->shape.taps;

    for (int64_t j = 0; j <= taps; j++) {
        int64_t i = t - taps + j;
        rows[j] = i >= 0 ? row_of(r, s->first + i) : log_row(s, s->pos - s->saved_at + taps + i);
    }
    r->ops->mix(r, rows, mixed);
}

/* Without a matrix the mixed row is the result. */
static void mix_all(const ith_recur *r, ith_member *me)
{
    bool done = r->shape.cells == 0;
    float *to = done ? r->work->results : r->work->mixed;
    int64_t ld = done ? my_results(r) : r->mixed, first = 0;

    for (int i = 0; i < r->pass->n_spans; i++) {
        step s = step_of(r, i, first);
        ith_range share = ith_my_share(me, s.n, 1);
        for (int64_t t = share.begin; t < share.end; t++)
            mix_token(r, &s, t, to + (first + t) * ld);
        first += s.n;
    }
    ith_barrier(me);
}

static void advance_panel(const ith_recur *r, const step *s, int64_t number)
{
    panel p = panel_of(r, number);
    const float *mixed = r->work->mixed + s->first * r->mixed;
    float *now = s->state->now + p.at, *out = r->work->results + s->first * my_results(r);
    int64_t before = ith_max(s->next_saved_at - s->pos, 0);

    out += p.head * r->shape.out + p.cols.begin;
    r->ops->advance(r, p.head, p.cols, now, mixed, before, out, my_results(r));
    if (s->next_saved_at > s->pos)
        memcpy(s->state->saved + p.at, now, (size_t)p.floats * sizeof *now);
    r->ops->advance(r, p.head, p.cols, now, mixed + before * r->mixed, s->n - before,
                    out + before * my_results(r), my_results(r));
}

/* A unit is a panel of a head of a span. */
static void advance_all(const ith_recur *r, ith_member *me)
{
    ith_pass *p = r->pass;
    int64_t panels = n_panels(r);
    bool help = ith_help_with(p->n);
    ith_lot lot = ith_lot_open(me, help ? ITH_SHARE_TASKS : 1, help);

    while (ith_lot_next(me, &lot)) {
        ith_range units = ith_lot_range(me, &lot, p->n_spans * panels, 1);
        int64_t first = 0;
        for (int i = 0; i < p->n_spans; first += p->spans[i++].n) {
            step s = step_of(r, i, first);
            for (int64_t u = ith_max(units.begin, i * panels);
                 u < ith_min(units.end, (i + 1) * panels); u++)
                advance_panel(r, &s, u - i * panels);
        }
    }
    ith_barrier(me);
}

/* ---- After them: the log, a share of whose columns each member moves ---- */

static void move_log(const ith_recur *r, const step *s, ith_member *me)
{
    ith_range cols = ith_my_share(me, r->width, 16);
    size_t bytes = (size_t)ith_range_size(cols) * sizeof(float);
    int64_t moved = s->next_saved_at - s->saved_at, taps = r->shape.taps,
            rows = taps + s->pos + s->n - s->next_saved_at;

    for (int64_t i = 0; i < rows; i++) {
        int64_t t = s->next_saved_at - taps + i - s->pos; /* of the pass; before it: negative */
        const float *from = t < 0 ? log_row(s, i + moved) : row_of(r, s->first + t);
        if (t >= 0 || moved > 0)
            memmove(log_row(s, i) + cols.begin, from + cols.begin, bytes);
    }
}

static void settle(const ith_recur *r, ith_member *me)
{
    int64_t first = 0;

    for (int i = 0; i < r->pass->n_spans; first += r->pass->spans[i++].n) {
        step s = step_of(r, i, first);
        move_log(r, &s, me);
    }
    ith_barrier(me);
    for (int i = 0; me->tid == 0 && i < r->pass->n_spans; i++) {
        step s = step_of(r, i, 0);
        bool lost = s.fresh && s.pos > 0; /* a pass that has failed is run again to see where */
        s.state->at = lost ? ITH_RECURRENT_LOST : s.pos + s.n;
        s.state->saved_at = lost ? ITH_RECURRENT_LOST : s.next_saved_at;
        s.state->stale = false;
    }
}

/* ---- Results ---- */

static void deliver(const ith_recur *r, int64_t t, int64_t head, const float *x, bool finished)
{
    const ith_workspace *ws = r->pass->ws;
    float *to = ws->h + t * ws->ld + ith_recur_place(r, head);

    if (finished)
        memcpy(to, x, (size_t)r->shape.out * sizeof *to);
    else
        r->ops->finish(r, t, head, x, to);
}

/* What rank i computed for my tokens, [n][its heads][out]. */
static void place_all(const ith_recur *r, int i, const float *results, bool finished,
                      ith_member *me)
{
    ith_range heads = heads_of(r, i), share = ith_my_share(me, ith_range_size(r->pass->mine), 1);

    for (int64_t t = share.begin; t < share.end; t++)
        for (int64_t head = heads.begin; head < heads.end; head++)
            deliver(r, t, head,
                    results + t * results_of(r, i) + (head - heads.begin) * r->shape.out, finished);
}

/* Rows of results in the order of slots, where it differs, before they travel. */
static const float *in_slots(const ith_recur *r, ith_member *me)
{
    const ith_pass *p = r->pass;
    int64_t floats = my_results(r);
    ith_range share = ith_my_share(me, p->n, 1);

    if (p->mesh.context == 1)
        return r->work->results;
    for (int64_t t = share.begin; t < share.end; t++)
        memcpy(r->work->rows + ith_mesh_slot(&p->mesh, p->n, t) * floats,
               r->work->results + t * floats, (size_t)floats * sizeof(float));
    ith_barrier(me);
    return r->work->rows;
}

static void send_back(const ith_recur *r, ith_member *me)
{
    const float *from = in_slots(r, me);

    if (me->tid == 0) {
        count_slots(r, my_results(r), side(r, 0));
        count_my_blocks(r, results_of, side(r, 1));
        exchange(r, from, side(r, 0), r->work->back, side(r, 1));
    }
    ith_barrier(me);
}

/* Each rank finishes its own heads, for which it has the gates. */
static void gather(const ith_recur *r, ith_member *me)
{
    const ith_pass *p = r->pass;
    ith_range share = ith_my_share(me, p->n, 1);

    for (int64_t t = share.begin; t < share.end; t++)
        for (int64_t head = r->heads.begin; head < r->heads.end; head++) {
            float *x =
                r->work->results + t * my_results(r) + (head - r->heads.begin) * r->shape.out;
            r->ops->finish(r, t, head, x, x);
        }
    ith_barrier(me);
    if (me->tid == 0) {
        ith_comm_counts c = side(r, 0);
        count_my_blocks(r, results_of, c);
        p->comm->ops->allgatherv(p->comm, r->work->results, r->work->back, c.counts, c.displs);
    }
    ith_barrier(me);
}

static void to_tokens(const ith_recur *r, ith_member *me)
{
    ith_pass *p = r->pass;
    const float *from = r->work->back;

    if (p->comm->size == 1) {
        place_all(r, 0, r->work->results, false, me);
        return;
    }
    if (by_tokens(p))
        send_back(r, me);
    else
        gather(r, me);
    for (int i = 0; i < p->comm->size; from += ith_range_size(p->mine) * results_of(r, i++))
        place_all(r, i, from, !by_tokens(p), me);
}

/* By the same shares in which results were delivered. */
static void close_all(const ith_recur *r, ith_member *me)
{
    const ith_pass *p = r->pass;
    ith_range share = ith_my_share(me, ith_range_size(p->mine), 1);

    for (int64_t t = share.begin; r->ops->close != NULL && t < share.end; t++)
        r->ops->close(r, p->ws->h + t * p->ws->ld);
}

void ith_recur_run(const ith_recur *r, ith_member *me)
{
    ith_pass *p = r->pass;
    int64_t first = 0;

    make_rows(r, me);
    for (int i = 0; i < p->n_spans; first += p->spans[i++].n) {
        step s = step_of(r, i, first);
        catch_up(r, &s, me);
    }
    mix_all(r, me);
    if (r->shape.cells > 0)
        advance_all(r, me);
    settle(r, me);
    ith_pass_lap(p, me, r->layer, ITH_LAP_ATTENTION);
    to_tokens(r, me);
    close_all(r, me);
    ith_quantize_h(p, me, r->shape.heads * r->shape.out);
    ith_pass_lap(p, me, r->layer, ITH_LAP_EXCHANGE);
}

/* ---- What kinds compute for a token ---- */

void ith_recur_convolve(const ith_recur *r, const float *const *rows, int64_t at, int64_t n,
                        const float *w, int64_t ld_w, float *mixed)
{
    const float *x[ITH_MAX_TAPS];
    int taps = (int)r->shape.taps + 1;

    for (int j = 0; j < taps; j++)
        x[j] = rows[j] + at;
    ith_recur_kernels(r)->conv(n, taps, x, w, ld_w, NULL, true, mixed + at);
}

void ith_recur_normalize(const ith_recur *r, int64_t n, int64_t d, double length, float *x)
{
    const ith_kernels *kernels = ith_recur_kernels(r);

    for (int64_t i = 0; i < n; i++, x += d) {
        float inverse = 1.0f / sqrtf(kernels->sum_squares(d, x) + 1e-6f);
        if (!(ith_largest_abs(x, d) < ITH_RECUR_VALUE_MOST)) /* or NaN */
            ith_pass_note_broken_here(r->pass);
        kernels->scale(d, x, inverse * (float)length);
    }
}

void ith_recur_sigmoid(const ith_recur *r, int64_t n, float *x)
{
    enum { AT_ONCE = 64 };
    float ones[AT_ONCE];

    for (int i = 0; i < AT_ONCE; i++)
        ones[i] = 1;
    for (int64_t at = 0; at < n; at += AT_ONCE)
        ith_recur_kernels(r)->sigmoid_mul(ith_min(AT_ONCE, n - at), x + at, ones, x + at);
}

/* ---- Products ---- */

void ith_recur_project(const ith_recur *r, ith_member *me, const ith_matrix *w, ith_range items,
                       int64_t each, float *out, int64_t ld)
{
    ith_input in = ith_pass_input(r->pass, w->cols);
    ith_linear(me, r->pass->model, w, (ith_range){items.begin * each, items.end * each}, &in,
               ith_range_size(r->pass->mine), out, ld);
}

void ith_recur_project_out(const ith_recur *r, const ith_block *block, int stage,
                           const ith_matrix *w, ith_member *me)
{
    ith_pass *p = r->pass;

    ith_pass_show(p, &w, 1, w->cols, false, me);
    ith_pass_enter(p, r->layer, block, stage, NULL, me);
    ith_recur_project(r, me, w, p->way->rows(p, w->rows), 1, p->ws->y, p->ws->ld_y);
    ith_barrier(me);
    ith_pass_lap(p, me, r->layer, ITH_LAP_PRODUCTS);
    ith_pass_leave(p, r->layer, block, stage, me);
}

/* ---- Sizes ---- */

void ith_recur_request(ith_requests *q, const ith_work_sizes *s, const ith_recurrent_shape *shape,
                       int64_t more, ith_recur_work *work)
{
    int ranks = s->mesh->ranks, rank = s->mesh->rank;
    int64_t row = ith_recurrent_width(shape, ranks, rank), all = 0, C = ith_max(s->C, s->T),
            heads = ith_range_size(ith_recurrent_heads(shape, ranks, rank)),
            mine = heads * shape->out;

    for (int r = 0; r < ranks; r++)
        all += ith_recurrent_width(shape, ranks, r);
    ith_request(q, C * ith_max(row, mine), sizeof(float), &work->rows);
    ith_request(q, ith_max(C, ITH_RECURRENT_LOG) * (row + heads * more), sizeof(float),
                &work->mixed);
    ith_request(q, C * mine, sizeof(float), &work->results);
    if (ranks == 1)
        return;
    ith_request(q, s->T * all, sizeof(float), &work->rows_out);
    ith_request(q, s->T * shape->heads * shape->out, sizeof(float), &work->back);
}

void ith_recur_needs(const ith_work_sizes *s, const ith_block *block, ith_work_needs *n)
{
    const ith_recurrent_shape shape = block->kind->recurrent(&s->model->hp);

    n->input_cols = ith_max(n->input_cols, shape.heads * shape.out);
    n->scratch = ith_max(n->scratch, ITH_RECURRENT_LOG * PANEL_COLS);
}

/* ---- Traffic ---- */

/* Of the layer's recurrent block. */
static ith_recurrent_shape shape_in(const ith_hparams *hp, int layer)
{
    ith_layer_form form = ith_arch_find(hp->architecture)->layer(hp, layer);
    ith_recurrent_shape shape = {0};

    for (int k = 0; k < form.n && shape.heads == 0; k++) {
        const ith_block_kind *kind = ith_block_kind_find(form.sub[k].block);
        if (kind->recurrent != NULL)
            shape = kind->recurrent(hp);
    }
    return shape;
}

/* Floats of a token's rows for all ranks. Of more ranks than heads, the first have one each. */
static int64_t all_rows(const ith_mesh *mesh, const ith_recurrent_shape *shape)
{
    int64_t all = 0;
    for (int r = 0; r < mesh->ranks && r < shape->heads; r++)
        all += ith_recurrent_width(shape, mesh->ranks, r);
    return all;
}

static int64_t own_results(const ith_mesh *mesh, const ith_recurrent_shape *shape)
{
    return ith_range_size(ith_recurrent_heads(shape, mesh->ranks, mesh->rank)) * shape->out;
}

int64_t ith_recur_sends_by_tokens(const ith_wire *w, int layer, int64_t depth, int64_t n)
{
    const ith_recurrent_shape shape = shape_in(w->hp, layer);
    const ith_mesh *mesh = w->mesh;
    int64_t mine = ith_range_size(ith_mesh_slots(mesh, n, mesh->rank)),
            others = all_rows(mesh, &shape) - ith_recurrent_width(&shape, mesh->ranks, mesh->rank);

    (void)depth;
    return (mine * others + (n - mine) * own_results(mesh, &shape)) * (int64_t)sizeof(float);
}

int64_t ith_recur_sends_by_rows(const ith_wire *w, int layer, int64_t n)
{
    const ith_recurrent_shape shape = shape_in(w->hp, layer);
    return n * (w->mesh->ranks - 1) * own_results(w->mesh, &shape) * (int64_t)sizeof(float);
}

int64_t ith_recur_exchange_most(const ith_wire *w, int layer, int64_t n)
{
    const ith_recurrent_shape shape = shape_in(w->hp, layer);
    return most_bytes(w->mesh, &shape, n);
}
