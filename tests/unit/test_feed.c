/* test_feed.c - streamed steps: in whatever order they are entered, the tiles of a matrix in use
 * are those of the files. */
#include "comm/comm_self.h"
#include "model/blocks/ffn.h"
#include "weights/produce.h"
#include "weights/residence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { THREADS = 3, ENTERED = 400 };

typedef struct streamed {
    ith_source *source;
    ith_load_plan plan;
    ith_model *model;
    ith_comm *comm;
    ith_mesh mesh;
    ith_residence residence;
    ith_step *steps; /* as the residence made them */
    int64_t n_steps;
    ith_team *team;
    ith_feed *feed;
} streamed;

static void must(ith_status status, const ith_error *err)
{
    if (status != ITH_OK)
        fail_msg("%s", err->text);
}

/* All but the feed. */
static void open_streamed(streamed *s)
{
    ith_error err = {0};
    size_t bytes = 0;

    *s = (streamed){0};
    must(ith_source_open("tests/models/needle-qwen3", 0, &s->source, &err), &err);
    must(ith_model_open(s->source, &s->plan, ITH_QUANT_W8, false, &s->model, &err), &err);
    for (size_t i = 0; i < s->plan.n_entries; i++)
        bytes += ith_entry_bytes(&s->plan.entries[i]);
    must(ith_comm_open_self(&s->comm, &err), &err);
    must(ith_mesh_make(NULL, 1, 0, (int)s->model->hp.n_kv_heads, &s->mesh, &err), &err);
    ith_residence_params params = {.shards = ith_shards_of(s->comm, &s->mesh, false),
                                   .budget = bytes - 1,
                                   .embed = s->model->embed,
                                   .output = s->model->output};
    must(ith_residence_choose(&s->plan, &params, &s->residence, &err), &err);
    s->n_steps = s->residence.steps.n;
    s->steps = s->residence.steps.items;
    s->residence.steps.items = NULL;
    must(ith_team_open(2, &s->team, &err), &err);
}

static ith_status open_feed(streamed *s, ith_caching caching, int frame_level, size_t frame_room,
                            ith_error *err)
{
    ith_feed_params params = {.comm = s->comm,
                              .plan = &s->plan,
                              .shards = ith_shards_of(s->comm, &s->mesh, false),
                              .transit = s->residence.steps.transit,
                              .n_threads = THREADS,
                              .caching = caching,
                              .frame_level = frame_level,
                              .frame_room = frame_room,
                              .team = s->team};
    return ith_feed_open(&params, s->steps, s->n_steps, &s->feed, err);
}

static void close_streamed(streamed *s)
{
    ith_feed_close(s->feed);
    ith_residence_free(&s->residence);
    ith_team_close(s->team);
    ith_model_close(s->model);
    ith_load_plan_free(&s->plan);
    ith_source_close(s->source);
    ith_comm_close(s->comm);
}

/* The tiles of step i, where its matrices now point, are what the files give. */
static void assert_there(const streamed *s, int64_t i)
{
    ith_producer producer;
    ith_error err;
    must(ith_producer_open(&s->plan, ITH_CACHED, &producer, &err), &err);
    for (int k = 0; k < s->steps[i].n_extents; k++) {
        const ith_extent *p = &s->steps[i].extents[k];
        const ith_matrix *m = p->entry->matrix;
        uint8_t *want = aligned_alloc(64, p->entry->unit_bytes);
        assert_non_null(want);
        assert_int_equal(m->first_tile, p->first);
        for (int64_t u = 0; u < p->n; u++) {
            must(ith_produce(&producer, p->entry, p->first + u, 1, want, &err), &err);
            assert_memory_equal(m->tiles + (size_t)u * p->entry->unit_bytes, want,
                                p->entry->unit_bytes);
        }
        free(want);
    }
    ith_producer_close(&producer);
}

static void any_order(ith_caching caching, int frame_level, size_t frame_room)
{
    streamed s;
    uint64_t x = 88172645463325252u;
    int64_t next = 0;
    ith_error err;

    open_streamed(&s);
    must(open_feed(&s, caching, frame_level, frame_room, &err), &err);
    assert_true(s.n_steps > 4);
    for (int i = 0; i < ENTERED; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        if (x % 3 == 0) /* a pass that leaves steps out, or begins anew */
            next = (int64_t)(x / 3 % (uint64_t)s.n_steps);
        ith_feed_enter(s.feed, next, ITH_NEED_ALL, NULL);
        assert_there(&s, next);
        ith_feed_leave(s.feed);
        next = (next + 1) % s.n_steps;
    }
    must(ith_feed_status(s.feed, &err), &err);
    close_streamed(&s);
}

static void from_the_files_in_any_order(void **state)
{
    (void)state;
    any_order(ITH_CACHED, -1, 0);
}

static void from_the_files_past_the_page_cache_in_any_order(void **state)
{
    (void)state;
    any_order(ITH_UNCACHED, -1, 0);
}

static void from_frames_in_any_order(void **state)
{
    (void)state;
    any_order(ITH_CACHED, 1, SIZE_MAX);
}

static void frames_keep_to_their_room(void **state)
{
    (void)state;
    ith_error err = {0};
    streamed s;

    open_streamed(&s);
    assert_int_equal(open_feed(&s, ITH_CACHED, 1, 1000, &err), ITH_E_MEMORY);
    assert_non_null(strstr(err.text, "--offload disk"));
    close_streamed(&s);
}

/* A mapped file is truncated while in use. That is an error; touching the mapping would end the
 * process. */
static void a_file_cut_short_is_an_error(void **state)
{
    (void)state;
    char path[] = "/tmp/ithaca_feed_XXXXXX", command[200];
    int fd = mkstemp(path);
    ith_source *source;
    ith_load_plan plan = {0};
    ith_model *model;
    ith_producer producer;
    ith_error err = {0};

    assert_true(fd >= 0);
    snprintf(command, sizeof command, "cat tests/golden/llama-gqa3-q8_0.gguf >%s", path);
    assert_int_equal(system(command), 0);
    must(ith_source_open(path, 0, &source, &err), &err);
    must(ith_model_open(source, &plan, ITH_QUANT_W8, false, &model, &err), &err);
    must(ith_producer_open(&plan, ITH_CACHED, &producer, &err), &err);
    assert_int_equal(ftruncate(fd, 4096), 0);
    const ith_entry *e =
        ith_load_plan_entry(&plan, ((const ith_ffn *)model->layers[0].sub[1].block.weights)->down);
    void *out = aligned_alloc(64, (size_t)e->n_units * e->unit_bytes);
    assert_non_null(out);
    assert_int_equal(ith_produce(&producer, e, 0, e->n_units, out, &err), ITH_E_FORMAT);
    assert_non_null(strstr(err.text, path));
    assert_non_null(strstr(err.text, "truncated: the file ends before byte"));
    free(out);
    ith_producer_close(&producer);
    ith_model_close(model);
    ith_load_plan_free(&plan);
    ith_source_close(source);
    close(fd);
    unlink(path);
}

/* A vector in blocks of Q8_0, whose last bytes the reader must ask for: it reads 4096 at a time.
 * Parts of one are refused. */
static void a_vector_of_blocks_is_read_whole(void **state)
{
    enum { N = 2048, BLOCK = 34, BYTES = N / 32 * BLOCK, AT = 4096 - N };
    (void)state;
    char path[] = "/tmp/ithaca_feed_XXXXXX";
    static uint8_t bytes[AT + BYTES];
    float values[N];
    int fd = mkstemp(path);
    ith_mapfile file;
    ith_load_plan plan = {0};
    ith_producer producer;
    const float *vector;
    ith_error err = {0};

    assert_true(fd >= 0);
    memset(bytes + AT, 1, BYTES);
    for (int i = 0; i < N / 32; i++)
        memcpy(bytes + AT + i * BLOCK, "\0\x3c", 2); /* 1 as f16 */
    assert_int_equal(write(fd, bytes, sizeof bytes), sizeof bytes);
    must(ith_mapfile_open(path, &file, &err), &err);
    const ith_tensor t = {.name = "v",
                          .file = path,
                          .dtype = ITH_DT_Q8_0,
                          .n_dims = 1,
                          .dims = {N},
                          .data = file.data + AT,
                          .bytes = BYTES,
                          .mapping = &file};
    const ith_vector_of whole = {.tensor = &t, .n = N},
                        part = {.tensor = &t, .n = 32, .all = N, .first = 48};
    assert_int_equal(ith_load_plan_vector(&plan, "v", &part, &vector, &err), ITH_E_UNSUPPORTED);
    must(ith_load_plan_vector(&plan, "v", &whole, &vector, &err), &err);
    must(ith_producer_open(&plan, ITH_CACHED, &producer, &err), &err);
    must(ith_produce(&producer, &plan.entries[0], 0, 1, values, &err), &err);
    for (int i = 0; i < N; i++)
        assert_true(values[i] == 1.0f);
    ith_producer_close(&producer);
    ith_load_plan_free(&plan);
    ith_mapfile_close(&file);
    close(fd);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_the_files_in_any_order),
        cmocka_unit_test(from_the_files_past_the_page_cache_in_any_order),
        cmocka_unit_test(from_frames_in_any_order),
        cmocka_unit_test(frames_keep_to_their_room),
        cmocka_unit_test(a_file_cut_short_is_an_error),
        cmocka_unit_test(a_vector_of_blocks_is_read_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
