/* test_hub.c - names on the hub, and which files of a repository are the model. */
#include "base/digest.h"
#include "formats/hub_cache.h"
#include "formats/hub_choose.h"
#include "hub/http.h"
#include "hub/listing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- Names ---- */

static void check_name(const char *text, const char *repo, const char *revision, const char *file)
{
    ith_hub_name name;
    const char *why;

    if (!ith_hub_name_read(text, &name, &why))
        fail_msg("%s: %s", text, why);
    assert_string_equal(name.repo, repo);
    assert_string_equal(name.revision, revision);
    assert_string_equal(name.file, file);
}

static void test_names(void **state)
{
    (void)state;
    check_name("Qwen/Qwen3-8B", "Qwen/Qwen3-8B", "main", "");
    check_name("a/b:Q4_K_M", "a/b", "main", "Q4_K_M");
    check_name("a/b@v1.0:x/y.gguf", "a/b", "v1.0", "x/y.gguf");
    check_name("a/b@refs/pr/3", "a/b", "refs/pr/3", "");
    check_name("a_1/b.c-d", "a_1/b.c-d", "main", "");
}

static void test_wrong_names(void **state)
{
    static const char *const wrong[] = {"",         "a",       "a/",         "/b",       "a/b/c",
                                        "a//b",     "-a/b",    "a/b-",       ".a/b",     "a/b.",
                                        "a--b/c",   "a/b..c",  "a b/c",      "a/b:",     "a/b:/x",
                                        "a/b:x/",   "a/b:..",  "a/b:x/../y", "a/b@",     "a/b@-x",
                                        "a/b@x..y", "a/b@x y", "a/b@:c",     "a/b:x\ny", "a/b:x\\y",
                                        "~/b",      "a/b\x01"};
    ith_hub_name name;
    const char *why;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (ith_hub_name_read(wrong[i], &name, &why))
            fail_msg("\"%s\" is accepted", wrong[i]);
}

static void test_paths(void **state)
{
    char component[300] = "";

    (void)state;
    assert_true(ith_hub_path_is_safe("a/b.c/..d"));
    memset(component, 'a', 255);
    assert_true(ith_hub_path_is_safe(component));
    memset(component, 'a', 256);
    assert_false(ith_hub_path_is_safe(component));
    assert_false(ith_hub_path_is_safe(""));
    assert_false(ith_hub_path_is_safe("a/./b"));
    assert_false(ith_hub_path_is_safe("\xff"));
    assert_false(ith_hub_path_is_safe("a\x1b[2J"));
}

static void test_snapshot_names(void **state)
{
    static const char folder[] = "/c/models--Org--Na-me/snapshots/"
                                 "0123456789abcdef0123456789abcdef01234567";
    size_t len = 0;
    const char *name = ith_hub_snapshot_name(folder, &len);

    (void)state;
    assert_non_null(name);
    assert_int_equal(len, 5);
    assert_memory_equal(name, "Na-me", 5);
    assert_null(ith_hub_snapshot_name("/c/models--Org--Name/snapshots/main", &len));
    assert_null(ith_hub_snapshot_name("/c/models--Org/snapshots/x", &len));
    assert_null(ith_hub_snapshot_name("/home/me/model", &len));
}

/* ---- Choices ---- */

/* Chooses from names up to NULL, and compares the chosen ones, joined by blanks. */
static void check_choice(const char *file, const char *const *names, const char *expected)
{
    ith_error err = {0};
    ith_hub_choice choice;
    char got[500] = "";
    size_t n = 0;

    while (names[n] != NULL)
        n++;
    if (ith_hub_choose("a/b", file, names, n, &choice, &err) != ITH_OK) {
        if (strstr(err.text, expected) == NULL)
            fail_msg("\"%s\" instead of \"%s\"", err.text, expected);
        assert_null(choice.chosen);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (choice.chosen[i])
            sprintf(got + strlen(got), "%s%s", got[0] != '\0' ? " " : "", names[i]);
    assert_string_equal(got, expected);
    free(choice.chosen);
}

static void test_choices(void **state)
{
    static const char *const quants[] = {"m-Q4_K_M.gguf",
                                         "m-Q4_K_S.gguf",
                                         "m-IQ4_K_M.gguf",
                                         "m-UD-Q4_K_XL.gguf",
                                         "m.Q6_K.gguf",
                                         "m-Q8_0.gguf",
                                         NULL};
    static const char *const two[] = {"a-Q4_K_M.gguf", "b-Q4_K_M.gguf", NULL};
    static const char *const one[] = {"a-BF16.gguf", "mmproj-Q8_0.gguf", NULL};
    static const char *const folders[] = {"Q4_0/m-Q4_0-00001-of-00002.gguf",
                                          "Q4_0/m-Q4_0-00002-of-00002.gguf", "Q8_0/m-Q8_0.gguf",
                                          NULL};
    static const char *const both[] = {"config.json",    "model.safetensors",
                                       "m-Q8_0.gguf",    "consolidated.safetensors",
                                       "tokenizer.json", NULL};

    (void)state;
    check_choice("", quants, "m-Q4_K_M.gguf");
    check_choice("q4_k_s", quants, "m-Q4_K_S.gguf");
    check_choice("Q4_K_XL", quants, "m-UD-Q4_K_XL.gguf");
    check_choice("UD-Q4_K_XL", quants, "m-UD-Q4_K_XL.gguf");
    check_choice("Q6_K", quants, "m.Q6_K.gguf");
    check_choice("Q4_K", quants, "no file has the name or tag Q4_K");
    check_choice("", two, "several files could be meant");
    check_choice("a-Q4_K_M.gguf", two, "a-Q4_K_M.gguf");
    check_choice("", one, "a-BF16.gguf");
    check_choice("Q8_0", one, "no file has the name or tag Q8_0; there are a-BF16.gguf");
    check_choice("Q4_0", folders,
                 "Q4_0/m-Q4_0-00001-of-00002.gguf Q4_0/m-Q4_0-00002-of-00002.gguf");
    check_choice("m-Q8_0.gguf", folders, "Q8_0/m-Q8_0.gguf");
    check_choice("", both, "config.json model.safetensors tokenizer.json");
    check_choice("Q8_0", both, "m-Q8_0.gguf");
}

/* ---- The hub's list ---- */

static ith_status parse(const char *text, ith_hub_listing *listing, ith_error *err)
{
    *err = (ith_error){0};
    return ith_hub_listing_parse(text, strlen(text), "a/b", listing, err);
}

#define SHA "0123456789abcdef0123456789abcdef01234567"

static void test_listing(void **state)
{
    static const char text[] =
        "{\"sha\": \"" SHA
        "\", \"siblings\": [{\"rfilename\": \"a\", \"size\": 3, \"blobId\": \"" SHA
        "\"}, {\"rfilename\": \"b/c\", \"size\": 134, \"blobId\": \"" SHA
        "\", \"lfs\": {\"size\": 7, \"sha256\": \"" SHA "012345670123456701234567\"}},"
        " {\"rfilename\": \"d\\u0007\"}, {\"rfilename\": \"e\", \"blobId\": \"ABC\"}]}";
    ith_hub_listing l;
    ith_error err;

    (void)state;
    assert_int_equal(parse(text, &l, &err), ITH_OK);
    assert_string_equal(l.commit, SHA);
    assert_int_equal(l.n, 3);
    assert_int_equal(l.files[0].bytes, 3);
    assert_string_equal(l.files[0].digest, SHA);
    assert_string_equal(l.files[1].name, "b/c");
    assert_int_equal(l.files[1].bytes, 7);
    assert_int_equal(strlen(l.files[1].digest), 64);
    assert_int_equal(l.files[2].bytes, -1);
    assert_string_equal(l.files[2].digest, "");
    ith_hub_listing_free(&l);
    assert_int_equal(
        parse("{\"sha\": \"" SHA "\", \"siblings\": [{\"rfilename\": \"x/../y\"}]}", &l, &err),
        ITH_E_FORMAT);
    assert_int_equal(l.n, 0);
    assert_int_equal(parse("{\"sha\": \"" SHA
                           "\", \"siblings\": [{\"rfilename\": \"x\"}, {\"rfilename\": \"x\"}]}",
                           &l, &err),
                     ITH_E_FORMAT);
    assert_string_equal(err.text, "a/b: the server lists a file twice: x");
}

/* ---- Pieces ---- */

static void test_addresses(void **state)
{
    char out[32] = "x/";

    (void)state;
    assert_true(ith_http_append(out, sizeof out, "a b/\xc3\xa4?", true));
    assert_string_equal(out, "x/a%20b/%C3%A4%3F");
    assert_true(ith_http_append(out, sizeof out, "/", false));
    assert_string_equal(out, "x/a%20b/%C3%A4%3F%2F");
    assert_false(ith_http_append(out, sizeof out, "0123456789ab", true));
}

static void test_endpoint(void **state)
{
    ith_hub_settings s = {.endpoint = "https://hub.example/path", .origin = 19};

    (void)state;
    assert_true(ith_hub_is_endpoint(&s, "https://hub.example/x"));
    assert_true(ith_hub_is_endpoint(&s, "HTTPS://HUB.example/x"));
    assert_false(ith_hub_is_endpoint(&s, "https://hub.example.evil/x"));
    assert_false(ith_hub_is_endpoint(&s, "https://hub.example@evil/x"));
    assert_false(ith_hub_is_endpoint(&s, "https://hub.example:444/x"));
    assert_false(ith_hub_is_endpoint(&s, "http://hub.example/x"));
}

static void test_digests(void **state)
{
    ith_digester *d = ith_digester_open(ITH_DIGEST_SHA256);
    char hex[65], whole[65];

    (void)state;
    ith_digester_add(d, "ab", 2);
    ith_digester_add(d, "c", 1);
    ith_digester_end(d, hex);
    ith_sha256_hex("abc", 3, whole);
    assert_string_equal(hex, whole);
    ith_digester_end(d, hex);
    ith_sha256_hex("", 0, whole);
    assert_string_equal(hex, whole);
    ith_digester_close(d);
    d = ith_digester_open(ITH_DIGEST_SHA1);
    ith_digester_add(d, "abc", 3);
    ith_digester_end(d, hex);
    assert_string_equal(hex, "a9993e364706816aba3e25717850c26c9cd0d89d");
    ith_digester_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),     cmocka_unit_test(test_wrong_names),
        cmocka_unit_test(test_paths),     cmocka_unit_test(test_snapshot_names),
        cmocka_unit_test(test_choices),   cmocka_unit_test(test_listing),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_endpoint),
        cmocka_unit_test(test_digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
