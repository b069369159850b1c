/* RANKS: 1 3, long: 2
 *
 * test_key_means.c - the key means that a pack holds.
 *
 * They have the bits that measuring gives. They are used with the pack's own weights and rotary
 * frequencies and nowhere else, and means that cannot belong to the model are rejected on all
 * ranks. Measuring reports progress and can be stopped between two layers.
 */
#include "base/checksum.h"
#include "formats/packfile_impl.h"
#include "tests/model_files.h"
#include "tests/needle.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TOKENS = 40, LAYERS = 4 /* of the needle model */ };

static const char blob_name[] = "key_means.1", scaling[] = "linear:2";

/* ---- Packs whose blob is another, all checksums right ---- */

static buffer read_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    buffer b;

    must(f != NULL && fseek(f, 0, SEEK_END) == 0, "read the pack", NULL);
    b.n = (size_t)ftell(f);
    b.data = malloc(b.n);
    rewind(f);
    must(b.data != NULL && fread(b.data, 1, b.n, f) == b.n, "read the pack", NULL);
    fclose(f);
    return b;
}

static void write_file(const char *path, buffer b)
{
    FILE *f;

    unlink(path); /* a rank may still have it mapped */
    f = fopen(path, "wb");
    must(f != NULL && fwrite(b.data, 1, b.n, f) == b.n && fclose(f) == 0, "write the pack", NULL);
}

/* The index of a pack in memory, and the blob in it. */
typedef struct index_of {
    ith_pack_header header;
    json_t *root, *blob;
    float *values; /* in the file */
    size_t n;
} index_of;

static index_of find_blob(buffer b)
{
    index_of x = {0};
    json_t *item;
    size_t i;

    memcpy(&x.header, b.data, sizeof x.header);
    x.root =
        json_loadb((const char *)b.data + x.header.index_offset, x.header.index_bytes, 0, NULL);
    json_array_foreach (json_object_get(x.root, "blobs"), i, item) {
        if (strcmp(json_string_value(json_object_get(item, "name")), blob_name) == 0)
            x.blob = item;
    }
    must(x.blob != NULL, "a pack holds the keys' mean", NULL);
    x.values = (float *)(void *)(b.data + json_integer_value(json_object_get(x.blob, "offset")));
    x.n = (size_t)json_integer_value(json_object_get(x.blob, "bytes")) / sizeof *x.values;
    return x;
}

typedef void (*change_fn)(index_of *x);

static void nothing(index_of *x)
{
    (void)x;
}

static void another_value(index_of *x)
{
    for (size_t i = 0; i < x->n; i++)
        x->values[i] += 0.25f;
}

static void not_a_number(index_of *x)
{
    x->values[x->n - 1] = NAN;
}

static void one_fewer(index_of *x)
{
    x->n--;
}

static void of_another_arithmetic(index_of *x)
{
    another_value(x);
    json_object_set_new(x->blob, "name", json_string("key_means.0"));
}

/* The file `from`, changed, as `to`; its index gets no longer. */
static void make_changed(const char *from, const char *to, change_fn change)
{
    buffer b = read_file(from);
    index_of x = find_blob(b);
    char checksum[17], *text;

    change(&x);
    ith_checksum_text(ith_checksum(x.values, x.n * sizeof *x.values), checksum);
    json_object_set_new(x.blob, "xxh64", json_string(checksum));
    json_object_set_new(x.blob, "bytes", json_integer((json_int_t)(x.n * sizeof *x.values)));
    text = json_dumps(x.root, JSON_COMPACT | JSON_REAL_PRECISION(17));
    must(text != NULL && strlen(text) <= x.header.index_bytes, "the index has its place", NULL);
    memcpy(b.data + x.header.index_offset, text, strlen(text));
    x.header.index_bytes = strlen(text);
    x.header.index_checksum = ith_checksum(text, strlen(text));
    b.n = x.header.index_offset + strlen(text);
    x.header.file_bytes = b.n;
    x.header.checksum = ith_checksum(&x.header, offsetof(ith_pack_header, checksum));
    memcpy(b.data, &x.header, sizeof x.header);
    write_file(to, b);
    free(text);
    json_decref(x.root);
    free(b.data);
}

/* ---- Running them ---- */

typedef struct model {
    const char *path, *rope_scaling;
    ith_quant quant;
} model;

static ith_status open_model(const model *m, ith_engine **engine, ith_error *err)
{
    ith_engine_params params = ith_engine_params_default();
    char ready = 1;

    ith_world_bcast(world, &ready, sizeof ready); /* rank 0 has written the file */
    params.model = m->path;
    params.quant = m->quant;
    params.rope_scaling = m->rope_scaling;
    params.threads = 2;
    params.ctx = 100;
    return ith_engine_open(world, &params, engine, err);
}

static void digest(model m, char sha[65])
{
    ith_engine *engine;
    ith_error err;

    sha[0] = '\0';
    must(open_model(&m, &engine, &err) == ITH_OK, "open the engine", &err);
    sha_after(engine, ids, TOKENS, 0, sha);
    ith_engine_close(engine);
}

static void compare(const char *what, model a, model b, bool equal)
{
    char x[65], y[65];

    digest(a, x);
    digest(b, y);
    if (ith_world_rank(world) != 0)
        return;
    must((strcmp(x, y) == 0) == equal, what, NULL);
    printf("ok key means: %s\n", what);
}

static void refused(const char *what, const char *path, const char *text)
{
    ith_engine *engine;
    ith_error err;

    must(open_model(&(model){.path = path, .quant = ITH_QUANT_AUTO}, &engine, &err) ==
                 ITH_E_FORMAT &&
             strstr(err.text, path) != NULL && strstr(err.text, text) != NULL,
         what, &err);
    if (ith_world_rank(world) == 0)
        printf("ok key means: %s\n", what);
}

static void check_pack(const char *pack, const char *changed)
{
    bool root = ith_world_rank(world) == 0;
    const model source = {.path = NEEDLE_MODEL, .quant = ITH_QUANT_LOSSLESS},
                own = {.path = pack, .quant = ITH_QUANT_AUTO},
                other = {.path = changed, .quant = ITH_QUANT_AUTO};

    if (root)
        make_changed(pack, changed, nothing);
    compare("stored as measured", source, own, true);
    compare("a file written anew is the same", own, other, true);
    if (root)
        make_changed(pack, changed, of_another_arithmetic);
    compare("what another arithmetic measured is not used", own, other, true);
    if (root)
        make_changed(pack, changed, another_value);
    compare("the stored one is used", own, other, false);
    compare("not with another quantization", (model){.path = NEEDLE_MODEL, .quant = ITH_QUANT_W4},
            (model){.path = changed, .quant = ITH_QUANT_W4}, true);
    compare("not with other rotary positions", (model){NEEDLE_MODEL, scaling, ITH_QUANT_LOSSLESS},
            (model){changed, scaling, ITH_QUANT_LOSSLESS}, true);
    if (root)
        make_changed(pack, changed, not_a_number);
    refused("one that is no number is refused", changed,
            "key_means.1 contains a number that is not finite");
    if (root)
        make_changed(pack, changed, one_fewer);
    refused("one of another size is refused", changed, "key_means.1 has 2044 bytes, expected 2048");
}

/* ---- Stopping ---- */

/* The progress that measuring has reported, and when to stop it. */
typedef struct stop {
    int shown;
    int64_t last, total;
    int64_t after; /* stop when this many bytes are done; -1: never */
} stop;

static bool watch(void *user, const char *what, int64_t done, int64_t total)
{
    stop *s = user;

    if (strcmp(what, "measure") != 0)
        return true;
    s->shown++;
    s->last = done;
    s->total = total;
    return s->after < 0 || done < s->after;
}

static ith_status open_watched(ith_distribution distribution, stop *seen, ith_engine **engine,
                               ith_error *err)
{
    ith_engine_params params = ith_engine_params_default();

    params.model = NEEDLE_MODEL;
    params.threads = 2;
    params.ctx = 100;
    params.chunk = 64;
    params.distribution = distribution;
    params.progress = watch;
    params.progress_user = seen;
    return ith_engine_open(world, &params, engine, err);
}

static void stop_loading(const char *what, ith_distribution distribution)
{
    bool root = ith_world_rank(world) == 0;
    stop whole = {.after = -1}, stopped = {.after = 1};
    ith_engine *engine;
    ith_error err;

    must(open_watched(distribution, &whole, &engine, &err) == ITH_OK, "open the engine", &err);
    ith_engine_close(engine);
    must(!root || (whole.shown == LAYERS + 1 && whole.last == whole.total && whole.total > 0),
         "each layer is shown", NULL);
    must(open_watched(distribution, &stopped, &engine, &err) == ITH_E_CANCELLED,
         "stopped on all ranks", &err);
    must(!root || (stopped.shown == 2 && stopped.last < stopped.total), "after a layer", NULL);
    if (root)
        printf("ok key means: loading is stopped while they are measured, %s\n", what);
}

/* When it is stopped, weights of later layers are being fetched from other nodes. The first world
 * stays open and keeps MPI running. */
static void stop_loading_on_nodes(void)
{
    ith_world *first = world;
    ith_error err;

    setenv("ITHACA_RANKS_PER_NODE", "1", 1);
    must(ith_world_open(&world, &err) == ITH_OK, "open a world", &err);
    stop_loading("sharded", ITH_DISTRIBUTION_SHARDED);
    stop_loading("streamed over nodes", ITH_DISTRIBUTION_STREAMED);
    ith_world_close(world);
    unsetenv("ITHACA_RANKS_PER_NODE");
    world = first;
}

/* Rank 0 alone. */
static void stop_packing(const char *folder, ith_pack_params params)
{
    char path[128];
    ith_error err;
    stop stopped = {.after = 1};

    snprintf(path, sizeof path, "%s/stopped", folder);
    must(mkdir(path, 0777) == 0, "make a folder", NULL);
    snprintf(path, sizeof path, "%s/stopped/pack.ith", folder);
    params.output = path;
    params.progress = watch;
    params.progress_user = &stopped;
    must(ith_pack(&params, NULL, &err) == ITH_E_CANCELLED, "a pack is stopped while it measures",
         &err);
    must(stopped.shown == 2 && stopped.last < stopped.total, "after a layer", NULL);
    snprintf(path, sizeof path, "%s/stopped", folder);
    must(rmdir(path) == 0, "it leaves nothing", NULL);
    printf("ok key means: packing is stopped while they are measured\n");
}

int main(void)
{
    ith_pack_params params = ith_pack_params_default();
    char folder[64] = "", pack[128], changed[128];
    ith_error err;

    if (!open_needle())
        return 1;
    if (ith_world_rank(world) == 0)
        folder_make(folder);
    ith_world_bcast(world, folder, sizeof folder);
    snprintf(pack, sizeof pack, "%s/pack.ith", folder);
    snprintf(changed, sizeof changed, "%s/changed.ith", folder);
    params.model = NEEDLE_MODEL;
    params.output = pack;
    params.quant = ITH_QUANT_LOSSLESS;
    must(ith_world_rank(world) != 0 || ith_pack(&params, NULL, &err) == ITH_OK, "make a pack",
         &err);
    check_pack(pack, changed);
    stop_loading("weights that stay", ITH_DISTRIBUTION_REPLICATED);
    stop_loading("streamed", ITH_DISTRIBUTION_STREAMED);
    stop_loading_on_nodes();
    if (ith_world_rank(world) == 0)
        stop_packing(folder, params);
    if (ith_world_rank(world) == 0)
        folder_remove(folder);
    ith_world_close(world);
    return 0;
}
