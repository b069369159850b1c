/* needle.h - for programs that run the public API on several ranks with the needle model's prompt of 1,002 tokens: a failed check names what and
 * ends all ranks, so that none waits; rank 0 prints the TAP lines. */
#ifndef ITH_TESTS_NEEDLE_H
#define ITH_TESTS_NEEDLE_H

#include "ithaca.h"

#include <stdio.h>

#define NEEDLE_MODEL "tests/models/needle-qwen3"
#define NEEDLE_IDS   "tests/golden/needle/1k.ids"

enum { MAX_IDS = 2048 };

static ith_world *world;
static int32_t ids[MAX_IDS];
static size_t n_ids;

static void must(bool condition, const char *what, const ith_error *err)
{
    char text[1200];
    if (condition)
        return;
    snprintf(text, sizeof text, "%s: %s", what, err != NULL ? err->text : "not so");
    if (ith_world_rank(world) == 0)
        printf("not ok %s\n", what);
    fflush(stdout);
    ith_world_abort(world, 1, text);
}

/* Joins the ranks and reads the ids. False: there is no world, and rank 0 has said so. */
static bool open_needle(void)
{
    ith_error err;
    FILE *file;
    int id;

    if (ith_world_open(&world, &err) != ITH_OK) {
        printf("not ok world: %s\n", err.text);
        return false;
    }
    file = fopen(NEEDLE_IDS, "r");
    must(file != NULL, "open the ids", NULL);
    while (n_ids < MAX_IDS && fscanf(file, "%d", &id) == 1)
        ids[n_ids++] = id;
    fclose(file);
    return true;
}

#endif
