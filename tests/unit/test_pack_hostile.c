/* test_pack_hostile.c - malicious packs with correct checksums: no header, index or table leads
 * outside the file. */
#include "base/checksum.h"
#include "unit/pack_fixture.h"

static void seal_header(buffer *b)
{
    uint64_t sum = ith_checksum(b->data, offsetof(ith_pack_header, checksum));
    memcpy(b->data + offsetof(ith_pack_header, checksum), &sum, 8);
}

static ith_pack_header header_of(const buffer *b)
{
    ith_pack_header h;
    memcpy(&h, b->data, sizeof h);
    return h;
}

/* The file with another index text behind everything. */
static buffer with_index(const buffer *file, const char *text)
{
    ith_pack_header h = header_of(file);
    buffer out = {aligned_alloc(64, (file->n + strlen(text) + 63) / 64 * 64),
                  file->n + strlen(text)};

    assert_non_null(out.data);
    memcpy(out.data, file->data, file->n);
    memset(out.data + h.index_offset, 0, h.index_bytes);
    memcpy(out.data + file->n, text, strlen(text));
    h.index_offset = file->n;
    h.index_bytes = strlen(text);
    h.index_checksum = ith_checksum(text, strlen(text));
    h.file_bytes = out.n;
    memcpy(out.data, &h, sizeof h);
    seal_header(&out);
    return out;
}

static json_t *index_of(const buffer *b)
{
    ith_pack_header h = header_of(b);
    json_t *root = json_loadb((const char *)b->data + h.index_offset, h.index_bytes, 0, NULL);
    assert_non_null(root);
    return root;
}

static void expect(const buffer *b, ith_status status, const char *text)
{
    ith_error err = {0};
    ith_status got = check_all(b->data, b->n, &err);

    if (got != status || strstr(err.text, text) == NULL)
        fail_msg("status %d, \"%s\" instead of %d, \"%s\"", got, err.text, status, text);
}

/* One member of one tensor (or blob) gets another value. `value` is JSON; NULL removes the
 * member. */
typedef struct hostile {
    const char *list;
    int item;
    const char *key, *value;
    ith_status status;
    const char *text;
} hostile;

static const hostile hostiles[] = {
    {"tensors", 0, "name", NULL, ITH_E_FORMAT, "\"name\" should be a string"},
    {"tensors", 0, "name", "\"\"", ITH_E_FORMAT, "name of 0 bytes"},
    {"tensors", 0, "name", "\"a b\"", ITH_E_FORMAT, "not printable"},
    {"tensors", 0, "name", "\"w4\"", ITH_E_FORMAT, "tensor w4 occurs twice"},
    {"tensors", 0, "layout", "\"w3\"", ITH_E_UNSUPPORTED, "unknown layout \"w3\""},
    {"tensors", 0, "layout", "\"f32\"", ITH_E_UNSUPPORTED, "unknown layout"},
    {"tensors", 0, "layout", "\"w4\"", ITH_E_FORMAT, "tile 0 has 1088 bytes"},
    {"tensors", 0, "layout", "\"vector\"", ITH_E_FORMAT, "\"shape\" should be one"},
    {"tensors", 0, "shape", "[33]", ITH_E_FORMAT, "\"shape\" should be two"},
    {"tensors", 0, "shape", "[0, 64]", ITH_E_FORMAT, "\"shape\""},
    {"tensors", 0, "shape", "[-33, 64]", ITH_E_FORMAT, "\"shape\""},
    {"tensors", 0, "shape", "[33, 9000000000000000000]", ITH_E_FORMAT, "\"shape\""},
    {"tensors", 0, "shape", "[1073741823, 1073741823]", ITH_E_FORMAT, "too large"},
    {"tensors", 0, "shape", "[1073741823, 64]", ITH_E_FORMAT, "takes"},
    {"tensors", 0, "shape", "[17, 64]", ITH_E_FORMAT, "checksum of the tile table of w8"},
    {"tensors", 0, "codec", "\"lzma\"", ITH_E_UNSUPPORTED, "unknown codec"},
    {"tensors", 4, "codec", "\"raw\"", ITH_E_FORMAT, "tensor w8.zstd: tile 0 has"},
    {"tensors", 11, "codec", "\"zstd\"", ITH_E_FORMAT, "never compressed"},
    {"tensors", 8, "shape", "[17, 500]", ITH_E_FORMAT, "not a whole number of q4_k blocks"},
    {"tensors", 10, "layout", "\"iq4_xs\"", ITH_E_FORMAT, "not a whole number of iq4_xs blocks"},
    {"tensors", 0, "offset", "-4096", ITH_E_FORMAT, "\"offset\""},
    {"tensors", 0, "offset", "4097", ITH_E_FORMAT, "multiple of 4096"},
    {"tensors", 0, "offset", "0", ITH_E_FORMAT, "w8 takes 3264 bytes at 0"},
    {"tensors", 0, "offset", "9223372036854771712", ITH_E_FORMAT, "the file has"},
    {"tensors", 0, "offset", "8192", ITH_E_FORMAT, "tile 0 has 1088 bytes at 4096"},
    {"tensors", 0, "bytes", "9223372036854775807", ITH_E_FORMAT, "the file has"},
    {"tensors", 0, "bytes", "3263", ITH_E_FORMAT, "together"},
    {"tensors", 0, "bytes", "0", ITH_E_FORMAT, "\"bytes\""},
    {"tensors", 0, "table", "9223372036854775807", ITH_E_FORMAT, "the file has"},
    {"tensors", 0, "table", "64", ITH_E_FORMAT, "tile table of w8"},
    {"tensors", 0, "table_xxh64", "\"0\"", ITH_E_FORMAT, "tile table of w8"},
    {"blobs", 0, "offset", "4096", ITH_E_FORMAT, "checksum of tokenizer.json"},
    {"blobs", 0, "bytes", "1000000000000", ITH_E_FORMAT, "the file has"},
    {"blobs", 0, "xxh64", "\"00000000000000zz\"", ITH_E_FORMAT, "checksum of tokenizer.json"},
    {"blobs", 0, "name", "7", ITH_E_FORMAT, "\"name\""},
    {"blobs", 1, "name", "\"tokenizer.json\"", ITH_E_FORMAT, "occurs twice"},
};

static void no_index_leads_outside_the_file(void **state)
{
    const fixture *f = *state;

    for (size_t i = 0; i < sizeof hostiles / sizeof *hostiles; i++) {
        const hostile *h = &hostiles[i];
        json_t *root = index_of(&f->file),
               *item = json_array_get(json_object_get(root, h->list), (size_t)h->item);
        assert_non_null(json_object_get(item, h->key));
        if (h->value == NULL)
            json_object_del(item, h->key);
        else
            json_object_set_new(item, h->key, json_loads(h->value, JSON_DECODE_ANY, NULL));
        char *text = json_dumps(root, JSON_COMPACT);
        buffer b = with_index(&f->file, text);
        expect(&b, h->status, h->text);
        free(b.data);
        free(text);
        json_decref(root);
    }
}

static void two_parts_may_not_share_bytes(void **state)
{
    const fixture *f = *state;
    json_t *root = index_of(&f->file), *tensors = json_object_get(root, "tensors"),
           *copy = json_deep_copy(json_array_get(tensors, 1));
    char *text;
    buffer b;

    json_object_set_new(copy, "name", json_string("twin"));
    json_array_append_new(tensors, copy);
    text = json_dumps(root, JSON_COMPACT);
    b = with_index(&f->file, text);
    expect(&b, ITH_E_FORMAT, "overlap");
    free(b.data);
    free(text);
    json_decref(root);
}

static void an_index_is_an_object_with_lists(void **state)
{
    static const char *const texts[] = {"",
                                        "{",
                                        "[]",
                                        "{}",
                                        "{\"tensors\": [], \"blobs\": []}",
                                        "{\"tensors\": [7], \"blobs\": []}",
                                        "{\"tensors\": [{}], \"blobs\": {}}"};
    const fixture *f = *state;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        buffer b = with_index(&f->file, texts[i]);
        expect(&b, ITH_E_FORMAT, "memory.ith: ");
        free(b.data);
    }
}

static void headers_of_other_versions_are_refused(void **state)
{
    const struct {
        size_t at;
        uint64_t value;
        size_t bytes;
        ith_status status;
        const char *text;
    } cases[] = {
        {offsetof(ith_pack_header, version), 2, 4, ITH_E_UNSUPPORTED, "needs a newer ithaca"},
        {offsetof(ith_pack_header, features), 7, 4, ITH_E_UNSUPPORTED, "features 7"},
        {offsetof(ith_pack_header, features), 1, 4, ITH_E_FORMAT, "needs feature bit 1"},
        {offsetof(ith_pack_header, reserved), 1, 8, ITH_E_UNSUPPORTED, "needs a newer ithaca"},
        {offsetof(ith_pack_header, file_bytes), 100, 8, ITH_E_FORMAT, "its header says 100"},
        {offsetof(ith_pack_header, index_offset), UINT64_MAX, 8, ITH_E_FORMAT, "the index takes"},
        {offsetof(ith_pack_header, index_offset), 0, 8, ITH_E_FORMAT, "the index takes"},
        {offsetof(ith_pack_header, index_bytes), UINT64_MAX, 8, ITH_E_FORMAT, "the index takes"},
    };
    const fixture *f = *state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ith_pack_header h = header_of(&f->file);
        buffer b = f->file;
        memcpy(b.data + cases[i].at, &cases[i].value, cases[i].bytes);
        seal_header(&b);
        expect(&b, cases[i].status, cases[i].text);
        memcpy(b.data, &h, sizeof h);
    }
}

/* An entry of a table says something else; table, index and header are sealed again. */
static void expect_entry(const fixture *f, int tensor, int64_t tile, size_t at, uint64_t value,
                         size_t bytes, const char *expected)
{
    buffer b = {aligned_alloc(64, (f->file.n + 63) / 64 * 64), f->file.n};
    json_t *root = index_of(&f->file),
           *item = json_array_get(json_object_get(root, "tensors"), (size_t)tensor);
    uint64_t table = (uint64_t)json_integer_value(json_object_get(item, "table"));
    int64_t rows = json_integer_value(json_array_get(json_object_get(item, "shape"), 0));
    char checksum[17], *text;

    memcpy(b.data, f->file.data, b.n);
    memcpy(b.data + table + (size_t)tile * ITH_PACK_ENTRY + at, &value, bytes);
    ith_checksum_text(ith_checksum(b.data + table, (size_t)(rows + 15) / 16 * ITH_PACK_ENTRY),
                      checksum);
    json_object_set_new(item, "table_xxh64", json_string(checksum));
    text = json_dumps(root, JSON_COMPACT);
    buffer sealed = with_index(&b, text);
    expect(&sealed, ITH_E_FORMAT, expected);
    free(sealed.data);
    free(b.data);
    free(text);
    json_decref(root);
}

static void no_table_leads_outside_its_tensor(void **state)
{
    const fixture *f = *state;

    expect_entry(f, 0, 0, 0, 8192, 8, "tensor w8: tile 0 has 1088 bytes at 8192");
    expect_entry(f, 0, 1, 0, UINT64_MAX, 8, "tensor w8: tile 1");
    expect_entry(f, 0, 2, 8, 1087, 4, "tensor w8: tile 2 has 1087 bytes");
    expect_entry(f, 0, 2, 8, 0, 4, "tensor w8: tile 2 has 0 bytes");
    expect_entry(f, 0, 2, 12, 1, 4, "tensor w8: tile 2");
    expect_entry(f, 4, 1, 8, UINT32_MAX, 4, "tensor w8.zstd: tile 1 has 4294967295 bytes");
    expect_entry(f, 4, 2, 8, 1, 4, "tensor w8.zstd: its tiles have");
    expect_entry(f, 4, 2, 16, 5, 8, "tensor w8.zstd, tile 2 of 3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_index_leads_outside_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(two_parts_may_not_share_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(an_index_is_an_object_with_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(headers_of_other_versions_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(no_table_leads_outside_its_tensor, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
