/* test_archive.c - the archive: segments are found by their tokens, as far as they match, while
 * others write too; a timeline with recurrent states is found as far as it goes on from some; files
 * that are damaged, truncated or foreign are reported. */
#include "base/mem.h"
#include "keep/archive.h"
#include "tests/model_files.h"
#include "tests/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { LAYERS = 3, HEADS = 2, DIM = 16, IDS = 3000 };
enum { STATE_LAYERS = 2, STATE_HEADS = 3, FLOATS = 100 };

static const ith_kv_shape shape = {
    .layout = ITH_KVL_Q8, .n_layers = LAYERS, .n_heads = HEADS, .head_dim = DIM};

static const ith_kv_shape hybrid = {.layout = ITH_KVL_Q8,
                                    .n_layers = LAYERS,
                                    .n_heads = HEADS,
                                    .head_dim = DIM,
                                    .state_layers = STATE_LAYERS,
                                    .state_heads = STATE_HEADS,
                                    .state_floats = FLOATS};

typedef struct fixture {
    ith_kv_shape shape;
    char folder[64];
    ith_archive *archive;
    ith_kvfile_buffer *buffer;
    ith_key root;
    int32_t ids[IDS];
} fixture;

static int set_up_shape(void **state, ith_kv_shape of)
{
    fixture *f = calloc(1, sizeof *f);
    const ith_digest_input name = {"model", 5};

    f->shape = of;
    folder_make(f->folder);
    assert_int_equal(ith_archive_open(f->folder, true, false, &f->archive, NULL), ITH_OK);
    assert_int_equal(ith_kvfile_buffer_open(&f->buffer, NULL), ITH_OK);
    f->root = ith_key_root(&name, 1);
    for (int i = 0; i < IDS; i++)
        f->ids[i] = i * 7 % 1000;
    *state = f;
    return 0;
}

static int set_up(void **state)
{
    return set_up_shape(state, shape);
}

static int set_up_hybrid(void **state)
{
    return set_up_shape(state, hybrid);
}

static int tear_down(void **state)
{
    fixture *f = *state;
    assert_int_equal(ith_archive_shrink(f->archive, 0, NULL), ITH_OK);
    ith_archive_close(f->archive);
    ith_kvfile_buffer_close(f->buffer);
    folder_remove(f->folder);
    free(f);
    return 0;
}

/* Bytes that differ by segment, head and layer. */
static void fill(uint8_t *data, size_t bytes, int64_t segment, int head, int layer)
{
    prng random = {(uint64_t)(segment * 1000 + head * 100 + layer + 1)};
    for (size_t i = 0; i < bytes; i++)
        data[i] = (uint8_t)prng_next(&random);
}

static size_t layer_bytes(int n)
{
    const ith_kvfile_what what = {.layout = shape.layout, .head_dim = DIM};
    return ith_kvfile_layer_bytes(&what, n);
}

static ith_status write_head(fixture *f, const ith_segment *s, int64_t number, int head)
{
    uint8_t *data = malloc(LAYERS * layer_bytes(s->n));
    const void *layers[LAYERS];
    ith_status status;

    for (int i = 0; i < LAYERS; i++) {
        layers[i] = data + (size_t)i * layer_bytes(s->n);
        fill(data + (size_t)i * layer_bytes(s->n), layer_bytes(s->n), number, head, i);
    }
    status = ith_archive_write(f->archive, s, &f->shape, (ith_head_file){.head = head}, layers,
                               f->buffer, NULL);
    free(data);
    return status;
}

/* The segments of f's first n tokens, with all their files. Returns the last. */
static ith_segment write_timeline(fixture *f, int64_t n)
{
    ith_segment s = {.key = f->root};

    for (int64_t at = 0; at < n; at += ITH_KV_SEGMENT) {
        ith_manifest m = {.start = at, .shape = f->shape, .model = "m"};
        s.parent = s.key;
        s.start = at;
        s.n = (int)(n - at < ITH_KV_SEGMENT ? n - at : ITH_KV_SEGMENT);
        s.key = ith_key_next(&s.parent, f->ids + at, s.n);
        m.parent = s.parent;
        m.key = s.key;
        m.n = s.n;
        memcpy(m.ids, f->ids + at, (size_t)s.n * sizeof *m.ids);
        for (int head = 0; head < HEADS; head++)
            assert_int_equal(write_head(f, &s, at / ITH_KV_SEGMENT, head), ITH_OK);
        assert_int_equal(ith_archive_describe(f->archive, &m, NULL), ITH_OK);
    }
    return s;
}

static int64_t find(fixture *f, int64_t n, ith_segment **segments)
{
    int64_t found;
    assert_int_equal(
        ith_archive_find(f->archive, &f->root, &f->shape, f->ids, n, segments, &found, NULL),
        ITH_OK);
    return found;
}

/* Tokens that are found of the first n. */
static int64_t found_tokens(fixture *f, int64_t n)
{
    ith_segment *segments;
    int64_t found = find(f, n, &segments), tokens = 0;

    for (int64_t i = 0; i < found; i++)
        tokens += segments[i].used;
    free(segments);
    return tokens;
}

static void is_found_as_far_as_it_goes(void **state)
{
    fixture *f = *state;

    assert_int_equal(found_tokens(f, 2500), 0);
    write_timeline(f, 2500);
    assert_int_equal(found_tokens(f, 2500), 2500);
    assert_int_equal(found_tokens(f, 3000), 2500);
    assert_int_equal(found_tokens(f, 2300), 2300); /* a part of the last segment */
    assert_int_equal(found_tokens(f, 1500), 1500); /* of one that goes on elsewhere */
    assert_int_equal(found_tokens(f, 1024), 1024);
    assert_int_equal(found_tokens(f, 1), 1);
    f->ids[2100]++;
    assert_int_equal(found_tokens(f, 2500), 2100);
    f->ids[1023]++;
    assert_int_equal(found_tokens(f, 2500), 1023);
    f->ids[0]++;
    assert_int_equal(found_tokens(f, 2500), 0);
}

static void another_model_finds_nothing(void **state)
{
    fixture *f = *state;
    const ith_digest_input name = {"other", 5};

    write_timeline(f, 1024);
    f->root = ith_key_root(&name, 1);
    assert_int_equal(found_tokens(f, 1024), 0);
}

static void the_longest_of_several_is_found(void **state)
{
    fixture *f = *state;

    write_timeline(f, 1100);
    write_timeline(f, 1500);
    f->ids[1300]++;
    write_timeline(f, 1400);
    assert_int_equal(found_tokens(f, 1400), 1400);
    assert_int_equal(found_tokens(f, 3000), 1400);
    f->ids[1300]--;
    assert_int_equal(found_tokens(f, 3000), 1500);
}

static void comes_back_as_it_was(void **state)
{
    fixture *f = *state;
    ith_segment *segments;
    uint8_t *got = malloc(LAYERS * layer_bytes(ITH_KV_SEGMENT)),
            *expected = malloc(layer_bytes(ITH_KV_SEGMENT));
    void *layers[LAYERS];
    bool missing;

    write_timeline(f, 2500);
    assert_int_equal(find(f, 2200, &segments), 3);
    for (int i = 0; i < LAYERS; i++)
        layers[i] = got + (size_t)i * layer_bytes(ITH_KV_SEGMENT);
    for (int64_t s = 0; s < 3; s++) {
        for (int head = 0; head < HEADS; head++) {
            memset(got, 0xee, LAYERS * layer_bytes(ITH_KV_SEGMENT));
            assert_int_equal(ith_archive_read(f->archive, &segments[s], &shape,
                                              (ith_head_file){.head = head}, layers, f->buffer,
                                              &missing, NULL),
                             ITH_OK);
            for (int i = 0; i < LAYERS; i++) {
                size_t bytes = layer_bytes(segments[s].used);
                fill(expected, layer_bytes(segments[s].n), s, head, i);
                assert_memory_equal(layers[i], expected, bytes);

                /* Only the bytes in use are written. */
                if (bytes < layer_bytes(ITH_KV_SEGMENT))
                    assert_int_equal(((uint8_t *)layers[i])[bytes], 0xee);
            }
        }
    }
    free(segments);
    free(got);
    free(expected);
}

/* Floats are compressed where that is worth it: layer 0 repeats, layer 1 is noise. */
static void floats_come_back_too(void **state)
{
    fixture *f = *state;
    const ith_kv_shape floats = {
        .layout = ITH_KVL_BF16, .n_layers = 2, .n_heads = 1, .head_dim = DIM};
    const ith_head_file which = {0};
    const ith_segment s = {
        .parent = f->root, .key = ith_key_next(&f->root, f->ids, 70), .n = 70, .used = 70};
    const ith_kvfile_what what = {.layout = floats.layout, .head_dim = DIM};
    size_t bytes = ith_kvfile_layer_bytes(&what, 70);
    uint8_t *data = calloc(2, bytes), *got = calloc(2, bytes);
    const void *const from[2] = {data, data + bytes};
    void *const to[2] = {got, got + bytes};
    char path[300], parent[ITH_KEY_HEX], key[ITH_KEY_HEX];
    struct stat info;
    bool missing;

    memset(data, 0x3f, bytes);
    fill(data + bytes, bytes, 0, 0, 0);
    assert_int_equal(ith_archive_write(f->archive, &s, &floats, which, from, f->buffer, NULL),
                     ITH_OK);
    assert_int_equal(
        ith_archive_read(f->archive, &s, &floats, which, to, f->buffer, &missing, NULL), ITH_OK);
    assert_memory_equal(got, data, 2 * bytes);
    ith_key_hex(&s.parent, parent);
    ith_key_hex(&s.key, key);
    snprintf(path, sizeof path, "%s/%s-%s/head-0.kv", f->folder, parent, key);
    assert_int_equal(stat(path, &info), 0);
    assert_in_range(info.st_size, bytes, bytes + bytes / 10);
    free(data);
    free(got);
}

static void what_lacks_a_file_is_not_there(void **state)
{
    fixture *f = *state;
    ith_segment *segments;
    ith_archived *list;
    int64_t n;
    char command[300], parent[ITH_KEY_HEX], key[ITH_KEY_HEX];

    write_timeline(f, 2500);
    assert_int_equal(find(f, 2500, &segments), 3);
    ith_key_hex(&segments[1].parent, parent);
    ith_key_hex(&segments[1].key, key);
    snprintf(command, sizeof command, "%s/%s-%s/head-1.kv", f->folder, parent, key);
    assert_int_equal(unlink(command), 0);
    assert_int_equal(found_tokens(f, 2500), 1024);
    assert_int_equal(ith_archive_list(f->archive, &list, &n, NULL), ITH_OK);
    assert_int_equal(n, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(list[i].complete, !ith_key_equal(&list[i].key, &segments[1].key));
    free(list);

    /* Writing the segment again repairs it. */
    assert_int_equal(write_head(f, &segments[1], 1, 1), ITH_OK);
    assert_int_equal(found_tokens(f, 2500), 2500);
    free(segments);
}

static void the_least_recently_used_goes_first(void **state)
{
    fixture *f = *state;
    ith_segment *segments;
    ith_archived *list;
    int64_t n, each;

    write_timeline(f, 1024);
    f->ids[0]++;
    write_timeline(f, 2048);
    n = find(f, 2048, &segments);
    assert_int_equal(n, 2);
    ith_archive_touch(f->archive, segments, n);
    free(segments);
    f->ids[0]--;
    n = find(f, 1024, &segments);
    assert_int_equal(n, 1);
    ith_archive_touch(f->archive, segments, n);
    free(segments);
    assert_int_equal(ith_archive_list(f->archive, &list, &n, NULL), ITH_OK);
    assert_int_equal(n, 3);
    assert_int_equal(list[0].start, 1024); /* the end before what it needs */
    each = list[0].bytes;
    free(list);
    assert_int_equal(ith_archive_shrink(f->archive, 2 * each + 2000, NULL), ITH_OK);
    assert_int_equal(found_tokens(f, 1024), 1024);
    f->ids[0]++;
    assert_int_equal(found_tokens(f, 2048), 1024);
    assert_int_equal(ith_archive_shrink(f->archive, each + 2000, NULL), ITH_OK);
    assert_int_equal(found_tokens(f, 2048), 0);
    f->ids[0]--;
    assert_int_equal(found_tokens(f, 1024), 1024);
}

static void a_flipped_bit_is_found_wherever(void **state)
{
    fixture *f = *state;
    ith_segment s = write_timeline(f, 100);
    ith_archived *list;
    ith_error err;
    char path[300], parent[ITH_KEY_HEX], key[ITH_KEY_HEX];
    struct stat info;
    int64_t n;
    FILE *file;

    ith_key_hex(&s.parent, parent);
    ith_key_hex(&s.key, key);
    snprintf(path, sizeof path, "%s/%s-%s/head-0.kv", f->folder, parent, key);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(ith_archive_list(f->archive, &list, &n, NULL), ITH_OK);
    assert_int_equal(n, 1);
    assert_int_equal(ith_archive_verify(f->archive, &list[0], f->buffer, &err), ITH_OK);
    for (long at = 0; at < info.st_size; at += at < 200 ? 1 : 97) {
        int byte;
        file = fopen(path, "r+b");
        fseek(file, at, SEEK_SET);
        byte = fgetc(file);
        fseek(file, at, SEEK_SET);
        fputc(byte ^ 4, file);
        fflush(file);
        assert_int_equal(ith_archive_verify(f->archive, &list[0], f->buffer, &err), ITH_E_FORMAT);
        assert_non_null(strstr(err.text, "head-0.kv"));
        fseek(file, at, SEEK_SET);
        fputc(byte, file);
        fclose(file);
    }
    assert_int_equal(ith_archive_verify(f->archive, &list[0], f->buffer, &err), ITH_OK);
    for (off_t length = info.st_size - 1; length > 0; length = length * 2 / 3) {
        assert_int_equal(truncate(path, length), 0);
        assert_int_equal(ith_archive_verify(f->archive, &list[0], f->buffer, &err), ITH_E_FORMAT);
    }
    free(list);
}

static void a_manifest_proves_its_tokens(void **state)
{
    fixture *f = *state;
    ith_segment s = write_timeline(f, 100);
    char path[300], text[4000], parent[ITH_KEY_HEX], key[ITH_KEY_HEX];
    ith_manifest m;
    ith_error err;
    size_t n;
    FILE *file;
    char *at;

    ith_key_hex(&s.parent, parent);
    ith_key_hex(&s.key, key);
    snprintf(path, sizeof path, "%s/%s-%s/manifest.json", f->folder, parent, key);
    file = fopen(path, "rb");
    n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = 0;
    assert_int_equal(ith_manifest_parse(text, n, "m", &m, &err), ITH_OK);
    assert_int_equal(m.n, 100);
    at = strstr(text, "\"ids\":[0,7,");
    if (at == NULL)
        at = strstr(text, "\"ids\": [0, 7, ");
    assert_non_null(at);
    *strchr(at, '7') = '8';
    assert_int_equal(ith_manifest_parse(text, n, "m", &m, &err), ITH_E_FORMAT);
    *strchr(at, '8') = '7';
    at = strstr(text, "\"form\"");
    assert_non_null(at);
    at = strstr(at, "\"kv\""); /* what a layer keeps is of a form that only a later version knows */
    memcpy(at, "\"xx\"", 4);
    assert_int_equal(ith_manifest_parse(text, n, "m", &m, &err), ITH_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "\"states\""));
    at = strstr(text, "\"states\"");
    memcpy(at, "\"stages\"", 8); /* an older manifest has no such list */
    assert_int_equal(ith_manifest_parse(text, n, "m", &m, &err), ITH_OK);
}

static void others_files_stay(void **state)
{
    fixture *f = *state;
    char path[200];

    snprintf(path, sizeof path, "%s/notes.txt", f->folder);
    fclose(fopen(path, "w"));
    write_timeline(f, 1100);
    assert_int_equal(ith_archive_shrink(f->archive, 0, NULL), ITH_OK);
    assert_int_equal(found_tokens(f, 1100), 0);
    assert_int_equal(unlink(path), 0);     /* is there */
    assert_int_equal(rmdir(f->folder), 0); /* and nothing else */
    assert_int_equal(mkdir(f->folder, 0700), 0);
}

/* ---- Recurrent states ---- */

typedef float states[STATE_LAYERS][FLOATS];

static void fill_states(states data, int64_t end, int head)
{
    for (int i = 0; i < STATE_LAYERS; i++)
        for (int k = 0; k < FLOATS; k++)
            data[i][k] = (float)(end + 1000 * head + 100 * i) + (float)k / FLOATS;
}

static void write_states(fixture *f, const ith_segment *s)
{
    states data;
    const void *const layers[STATE_LAYERS] = {data[0], data[1]};

    for (int head = 0; head < STATE_HEADS; head++) {
        fill_states(data, s->start + s->n, head);
        assert_int_equal(ith_archive_write(f->archive, s, &f->shape,
                                           (ith_head_file){.state = true, .head = head}, layers,
                                           f->buffer, NULL),
                         ITH_OK);
    }
}

static ith_status read_states(fixture *f, const ith_segment *s, int head, states data)
{
    void *const layers[STATE_LAYERS] = {data[0], data[1]};
    bool missing;

    return ith_archive_read(f->archive, s, &f->shape, (ith_head_file){.state = true, .head = head},
                            layers, f->buffer, &missing, NULL);
}

static void path_of_state(const fixture *f, const ith_segment *s, int head, char path[300])
{
    char parent[ITH_KEY_HEX], key[ITH_KEY_HEX];

    ith_key_hex(&s->parent, parent);
    ith_key_hex(&s->key, key);
    snprintf(path, 300, "%s/%s-%s/state-%d.st", f->folder, parent, key, head);
}

/* A state has seen the tokens before the last 16, and has the inputs of these; the last token that
 * is asked for is computed. */
static void a_timeline_goes_on_from_states(void **state)
{
    fixture *f = *state;
    ith_segment last = write_timeline(f, 2500), first;

    assert_int_equal(found_tokens(f, 2500), 0);
    first = write_timeline(f, 1024);
    write_states(f, &first);
    assert_int_equal(found_tokens(f, 2500), 1024);
    assert_int_equal(found_tokens(f, 1024), 1024);
    assert_int_equal(found_tokens(f, 1009), 1009);
    assert_int_equal(found_tokens(f, 1008), 0);
    write_states(f, &last);
    assert_int_equal(found_tokens(f, 3000), 2500);
    assert_int_equal(found_tokens(f, 2485), 2485);
    assert_int_equal(found_tokens(f, 2484), 1024);
    f->ids[2484]++;
    assert_int_equal(found_tokens(f, 2500), 2484);
    f->ids[2483]++;
    assert_int_equal(found_tokens(f, 2500), 1024);
    f->ids[1008]++;
    assert_int_equal(found_tokens(f, 2500), 1008);
    f->ids[1007]++;
    assert_int_equal(found_tokens(f, 2500), 0);
}

static void few_tokens_have_states_too(void **state)
{
    fixture *f = *state;
    ith_segment few = write_timeline(f, 5);

    write_states(f, &few);
    assert_int_equal(found_tokens(f, 100), 5);
    assert_int_equal(found_tokens(f, 2), 2);
    assert_int_equal(found_tokens(f, 1), 0);
}

/* A longer segment without states, or one that parts, hides no shorter one that has them. */
static void states_decide_between_branches(void **state)
{
    fixture *f = *state;
    ith_segment at_1100 = write_timeline(f, 1100), at_1500 = write_timeline(f, 1500), at_1400;

    write_states(f, &at_1100);
    assert_int_equal(found_tokens(f, 1500), 1100);
    assert_int_equal(found_tokens(f, 1090), 1090);
    write_states(f, &at_1500);
    assert_int_equal(found_tokens(f, 1500), 1500);
    assert_int_equal(found_tokens(f, 1450), 1100);
    f->ids[1300]++;
    assert_int_equal(found_tokens(f, 1400), 1100);
    at_1400 = write_timeline(f, 1400);
    assert_int_equal(found_tokens(f, 3000), 1100);
    write_states(f, &at_1400);
    assert_int_equal(found_tokens(f, 3000), 1400);
    f->ids[1300]--;
    assert_int_equal(found_tokens(f, 3000), 1500);
}

static void states_come_back_as_they_were(void **state)
{
    fixture *f = *state;
    ith_segment s = write_timeline(f, 1200);
    states got, want;
    char from[300], to[300];

    write_states(f, &s);
    s.used = s.n;
    for (int head = 0; head < STATE_HEADS; head++) {
        fill_states(want, 1200, head);
        assert_int_equal(read_states(f, &s, head, got), ITH_OK);
        assert_memory_equal(got, want, sizeof want);
    }
    path_of_state(f, &s, 0, from);
    path_of_state(f, &s, 1, to);
    assert_int_equal(rename(from, to), 0); /* one head's under another's name */
    assert_int_equal(read_states(f, &s, 1, got), ITH_E_FORMAT);
}

static void without_a_head_there_are_no_states(void **state)
{
    fixture *f = *state;
    ith_segment first = write_timeline(f, 1024), last = write_timeline(f, 1700);
    ith_archived *list;
    char path[300];
    int64_t n;

    write_states(f, &first);
    write_states(f, &last);
    path_of_state(f, &last, 1, path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(found_tokens(f, 1700), 1024);
    assert_int_equal(ith_archive_list(f->archive, &list, &n, NULL), ITH_OK);
    assert_int_equal(n, 2);
    for (int i = 0; i < 2; i++) {
        assert_true(list[i].complete);
        assert_int_equal(list[i].states, list[i].start == 0);
    }
    free(list);
    ith_archive_remove_states(f->archive, &first.parent, &first.key);
    assert_int_equal(found_tokens(f, 1700), 0);
    write_states(f, &last);
    assert_int_equal(found_tokens(f, 1700), 1700); /* the keys and values have stayed */
}

static void flip(const char *path, long at)
{
    FILE *file = fopen(path, "r+b");
    int byte;

    assert_non_null(file);
    fseek(file, at, SEEK_SET);
    byte = fgetc(file);
    fseek(file, at, SEEK_SET);
    fputc(byte ^ 4, file);
    fclose(file);
}

static void damaged_states_are_found(void **state)
{
    fixture *f = *state;
    ith_segment s = write_timeline(f, 100);
    ith_archived *list;
    ith_error err;
    struct stat info;
    char path[300];
    states got;
    int64_t n;

    write_states(f, &s);
    s.used = s.n;
    path_of_state(f, &s, 2, path);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(ith_archive_list(f->archive, &list, &n, NULL), ITH_OK);
    assert_int_equal(n, 1);
    for (long at = 0; at < info.st_size; at += at < 200 ? 1 : 97) {
        flip(path, at);
        assert_int_equal(ith_archive_verify(f->archive, &list[0], f->buffer, &err), ITH_E_FORMAT);
        assert_non_null(strstr(err.text, "state-2.st"));
        assert_int_equal(read_states(f, &s, 2, got), ITH_E_FORMAT);
        flip(path, at);
    }
    assert_int_equal(ith_archive_verify(f->archive, &list[0], f->buffer, &err), ITH_OK);
    for (off_t length = info.st_size - 1; length > 0; length = length * 2 / 3) {
        assert_int_equal(truncate(path, length), 0);
        assert_int_equal(read_states(f, &s, 2, got), ITH_E_FORMAT);
    }
    free(list);
}

/* A manifest with this list of states: what its reader says. */
static ith_status parse_states(json_t *manifest, const char *list, ith_manifest *m, ith_error *err)
{
    json_t *forms = json_loads(list, 0, NULL);
    char *text;
    ith_status status;

    assert_non_null(forms);
    json_object_set_new(manifest, "states", forms);
    text = json_dumps(manifest, 0);
    status = ith_manifest_parse(text, strlen(text), "m", m, err);
    free(text);
    return status;
}

#define KV     "{\"form\": \"kv\", \"layers\": 3}"
#define STATES "{\"form\": \"recurrent\", \"layers\": 2, \"heads\": 3, \"floats\": 100}"

static void manifests_say_what_states_there_are(void **state)
{
    static const struct {
        const char *list;
        ith_status status;
    } cases[] = {
        {"[" KV "]", ITH_OK},
        {"[" KV ", " STATES "]", ITH_OK},
        {"[" STATES "]", ITH_E_UNSUPPORTED}, /* the layers with keys and values are not in it */
        {"[" STATES ", " KV "]", ITH_E_UNSUPPORTED},
        {"[" KV ", " STATES ", " STATES "]", ITH_E_UNSUPPORTED},
        {"[" KV ", " KV "]", ITH_E_UNSUPPORTED},
        {"[]", ITH_E_UNSUPPORTED},
        {"[{\"form\": \"kv\", \"layers\": 2}]", ITH_E_UNSUPPORTED},
        {"[" KV ", {\"form\": \"wkv\", \"layers\": 2}]", ITH_E_UNSUPPORTED},
        {"[" KV ", {\"layers\": 2}]", ITH_E_FORMAT},
        {"[" KV ", {\"form\": \"recurrent\", \"layers\": 2, \"heads\": 3}]", ITH_E_FORMAT},
        {"[" KV ", {\"form\": \"recurrent\", \"layers\": 2, \"floats\": 9}]", ITH_E_FORMAT},
    };
    fixture *f = *state;
    ith_segment s = write_timeline(f, 100);
    char path[300], parent[ITH_KEY_HEX], key[ITH_KEY_HEX];
    json_t *manifest;
    ith_manifest m;
    ith_error err;

    assert_int_equal(ith_archive_manifest(f->archive, &s.parent, &s.key, &m, &err), ITH_OK);
    assert_memory_equal(&m.shape, &hybrid, sizeof hybrid);
    ith_key_hex(&s.parent, parent);
    ith_key_hex(&s.key, key);
    snprintf(path, sizeof path, "%s/%s-%s/manifest.json", f->folder, parent, key);
    manifest = json_load_file(path, 0, NULL);
    assert_non_null(manifest);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(parse_states(manifest, cases[i].list, &m, &err), cases[i].status);
        if (cases[i].status == ITH_E_UNSUPPORTED)
            assert_non_null(strstr(err.text, "\"states\""));
    }
    json_object_set_new(manifest, "layers", json_integer(0)); /* recurrent layers alone */
    assert_int_equal(parse_states(manifest, "[" STATES "]", &m, &err), ITH_OK);
    assert_int_equal(m.shape.n_heads, 0);
    assert_int_equal(m.shape.state_floats, FLOATS);
    assert_int_equal(parse_states(manifest, "[]", &m, &err), ITH_E_UNSUPPORTED);
    json_decref(manifest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_found_as_far_as_it_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_model_finds_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_longest_of_several_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(comes_back_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(floats_come_back_too, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_lacks_a_file_is_not_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_least_recently_used_goes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_flipped_bit_is_found_wherever, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_manifest_proves_its_tokens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(others_files_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_timeline_goes_on_from_states, set_up_hybrid, tear_down),
        cmocka_unit_test_setup_teardown(few_tokens_have_states_too, set_up_hybrid, tear_down),
        cmocka_unit_test_setup_teardown(states_decide_between_branches, set_up_hybrid, tear_down),
        cmocka_unit_test_setup_teardown(states_come_back_as_they_were, set_up_hybrid, tear_down),
        cmocka_unit_test_setup_teardown(without_a_head_there_are_no_states, set_up_hybrid,
                                        tear_down),
        cmocka_unit_test_setup_teardown(damaged_states_are_found, set_up_hybrid, tear_down),
        cmocka_unit_test_setup_teardown(manifests_say_what_states_there_are, set_up_hybrid,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
