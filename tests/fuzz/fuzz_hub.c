/* fuzz_hub.c - what a hub sends: a list of files and an index of shards; before them, the name that
 * a user has typed. */
#include "formats/hub_cache.h"
#include "formats/hub_choose.h"
#include "hub/listing.h"
#include "tests/fuzz/fuzz.h"

static void must_be_below(const char *name)
{
    fuzz_must(name[0] != '/' && name[0] != '\0');
    for (const char *part = name; part != NULL; part = strchr(part, '/')) {
        part += part != name;
        fuzz_must(strcmp(part, "..") != 0 && strncmp(part, "../", 3) != 0);
    }
}

static void choose(const ith_hub_listing *l, const char *file, ith_bytes index)
{
    const char **names = calloc(l->n + 1, sizeof *names);
    ith_hub_choice choice;
    ith_error err = {0};

    fuzz_must(names != NULL);
    for (size_t i = 0; i < l->n; i++)
        names[i] = l->files[i].name;
    if (fuzz_verdict(ith_hub_choose("a/b", file, names, l->n, &choice, &err), &err)) {
        fuzz_must(choice.folder ? choice.index == SIZE_MAX || choice.index < l->n
                                : choice.first < l->n && choice.chosen[choice.first]);
        fuzz_verdict(
            ith_hub_choose_shards("a/b", index.data, index.len, names, l->n, &choice, &err), &err);
        for (size_t i = 0; i < l->n; i++)
            if (choice.chosen[i])
                must_be_below(names[i]);
        free(choice.chosen);
    } else
        fuzz_must(choice.chosen == NULL);
    free(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ith_bytes text = fuzz_part(&data, &size), list = fuzz_part(&data, &size),
              index = fuzz_part(&data, &size);
    ith_hub_name name;
    ith_hub_listing listing;
    const char *why;
    ith_error err = {0};
    bool named = ith_hub_name_read(text.data, &name, &why);

    if (named) {
        fuzz_must(strlen(name.repo) + strlen(name.revision) > 0);
        must_be_below(name.repo);
        must_be_below(name.revision);
    } else
        fuzz_must(why != NULL);
    if (fuzz_verdict(ith_hub_listing_parse(list.data, list.len, "a/b", &listing, &err), &err)) {
        fuzz_must(ith_hub_is_commit(listing.commit));
        choose(&listing, named ? name.file : "", index);
        for (size_t i = 0; i < listing.n; i++)
            fuzz_must(listing.files[i].digest[0] == '\0' ||
                      strspn(listing.files[i].digest, "0123456789abcdef") >= 40);
        ith_hub_listing_free(&listing);
    } else
        fuzz_must(listing.n == 0 && listing.files == NULL);
    fuzz_part_free(text);
    fuzz_part_free(list);
    fuzz_part_free(index);
    return 0;
}
