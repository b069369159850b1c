/* test_stats.c - files of activation statistics: written and read back; every fault is reported. */
#include "formats/stats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/ith-stats-XXXXXX";
static char path[100];

static const float first[] = {0.5f, 1e-30f, 3e38f}, second[] = {0, 7}, older[] = {1, 2, 3};

static void write_stats(const float *a, const float *b)
{
    ith_stats_about about = {
        .model = "a \"model\"", .tokens = 10, .window = 5, .ids_sha256 = "abc"};
    ith_stats_vector vectors[] = {{"model.layers.0.x.weight", a, 3}, {"b", b, 2}};
    assert_int_equal(ith_stats_write(path, &about, vectors, 2, NULL), ITH_OK);
}

static void round_trip(void **state)
{
    (void)state;
    ith_stats *stats = NULL;
    const float *got;
    ith_error err;

    write_stats(older, second); /* replaced by the next */
    write_stats(first, second);
    assert_int_equal(ith_stats_open(path, &stats, &err), ITH_OK);
    assert_string_equal(ith_stats_path(stats), path);
    assert_int_equal(ith_stats_find(stats, "model.layers.0.x.weight", 3, &got, &err), ITH_OK);
    assert_memory_equal(got, first, sizeof first);
    assert_int_equal(ith_stats_find(stats, "b", 2, &got, &err), ITH_OK);
    assert_memory_equal(got, second, sizeof second);
    assert_int_equal(ith_stats_find(stats, "none", 2, &got, &err), ITH_OK);
    assert_null(got);
    assert_int_equal(ith_stats_find(stats, "b", 3, &got, &err), ITH_E_FORMAT);
    assert_non_null(strstr(err.text, "another model"));
    ith_stats_close(stats);
    ith_stats_close(NULL);
}

static void must_fail(const char *what)
{
    ith_stats *stats = NULL;
    ith_error err = {0};

    assert_int_equal(ith_stats_open(path, &stats, &err), ITH_E_FORMAT);
    assert_null(stats);
    if (strstr(err.text, path) == NULL || strstr(err.text, what) == NULL)
        fail_msg("expected the file and \"%s\" in: %s", what, err.text);
}

static void bad_values_are_refused(void **state)
{
    (void)state;
    const float bad[][3] = {{1, -1e-9f, 1}, {1, NAN, 1}, {1, INFINITY, 1}};

    for (int i = 0; i < 3; i++) {
        write_stats(bad[i], second);
        must_fail("element 1");
    }
}

/* A file of one vector "v" with this header entry and metadata, and 8 bytes of data. */
static void write_raw(const char *metadata, const char *entry)
{
    char header[400];
    uint64_t n = (uint64_t)snprintf(header, sizeof header, "{%s\"v\":%s}", metadata, entry);
    FILE *file = fopen(path, "wb");

    fwrite(&n, 8, 1, file);
    fwrite(header, 1, n, file);
    fwrite("\0\0\0\0\0\0\0\0", 1, 8, file);
    fclose(file);
}

static void other_files_are_refused(void **state)
{
    (void)state;
    const char *format = "\"__metadata__\":{\"format\":\"ithaca-activations-1\"},",
               *vector = "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}";
    ith_stats *stats;

    write_raw(format, vector);
    assert_int_equal(ith_stats_open(path, &stats, NULL), ITH_OK);
    ith_stats_close(stats);
    write_raw("", vector);
    must_fail("activation statistics");
    write_raw("\"__metadata__\":{\"format\":\"pt\"},", vector);
    must_fail("\"pt\"");
    write_raw(format, "{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]}");
    must_fail("vector of F32");
    write_raw(format, "{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[0,8]}");
    must_fail("vector of F32");
    write_raw(format, "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,9]}");
    must_fail("truncated");
}

static void truncation_is_found(void **state)
{
    (void)state;
    struct stat info;

    write_stats(first, second);
    assert_int_equal(stat(path, &info), 0);
    for (off_t n = info.st_size - 1; n > 0; n -= 13) {
        assert_int_equal(truncate(path, n), 0);
        must_fail("");
    }
}

static void nothing_half_is_left(void **state)
{
    (void)state;
    ith_stats_about about = {.model = "m"};
    ith_error err;

    assert_int_equal(ith_stats_write("/nowhere/at/all", &about, NULL, 0, &err), ITH_E_IO);
    assert_non_null(strstr(err.text, "/nowhere/at/all"));

    /* A folder is in the way. */
    assert_int_equal(ith_stats_write(folder, &about, NULL, 0, &err), ITH_E_IO);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0); /* empty: no temporary file */
}

static int open_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/stats", folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(bad_values_are_refused),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(truncation_is_found),
        cmocka_unit_test(nothing_half_is_left),
    };
    return cmocka_run_group_tests(tests, open_folder, NULL);
}
