/* plan_script.c - the template of cluster/slurm with a plan's figures in it.
 *
 * The template is built in, so that a plan can be made anywhere. Its lines stay as they are but for
 * those that say what the plan knows better.
 */
#include "cli/plan_script.h"

#include "base/newfile.h"
#include "base/progress.h"
#include "cli/texts.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { GROWS_BY = 4096 };

/* A limit is longer than the plan, which is for a quiet cluster, and no shorter than this. Where no
 * one knows the disk, a slow one may be. */
static const double LONGER = 2, SHORTEST_S = 900, GIB = 1 << 30, SLOW_DISK_BYTES_S = 2e8;

typedef struct script {
    char *text;
    size_t len, room;
    bool failed; /* no memory */
} script;

static void add(script *s, const char *text, size_t len)
{
    if (s->failed)
        return;
    if (s->len + len + 1 > s->room) {
        size_t room = s->room + len + GROWS_BY;
        char *larger = realloc(s->text, room);
        s->failed = larger == NULL;
        if (s->failed)
            return;
        s->text = larger;
        s->room = room;
    }
    memcpy(s->text + s->len, text, len);
    s->len += len;
    s->text[s->len] = 0;
}

static void add_text(script *s, const char *text)
{
    add(s, text, strlen(text));
}

/* As one word of the shell: in single quotes, which a word inside may have too. */
static void add_quoted(script *s, const char *word)
{
    add_text(s, "'");
    for (; *word != 0; word++)
        if (*word == '\'')
            add_text(s, "'\\''");
        else
            add(s, word, 1);
    add_text(s, "'");
}

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static void add_directive(script *s, const char *name, double value, const char *unit)
{
    char line[80];
    snprintf(line, sizeof line, "#SBATCH --%s=%.0f%s\n", name, value, unit);
    add_text(s, line);
}

/* In whole minutes. */
static void add_limit(script *s, const json_t *plan)
{
    const json_t *run = json_object_get(plan, "run");
    double weights = number(json_object_get(plan, "memory"), "node_weights_bytes"),
           seconds = LONGER * number(run, "seconds");

    if (!json_is_number(json_object_get(plan, "load_s")))
        seconds += weights / SLOW_DISK_BYTES_S;
    seconds = seconds > SHORTEST_S ? seconds : SHORTEST_S;
    if (json_is_object(run))
        add_directive(s, "time", ceil(seconds / 60), "");
}

static void add_directives(script *s, const json_t *plan)
{
    double bytes = number(json_object_get(plan, "memory"), "node_bytes");

    add_directive(s, "nodes", number(plan, "nodes"), "");
    add_directive(s, "ntasks-per-node", number(plan, "ranks_per_node"), "");
    add_directive(s, "cpus-per-task", number(plan, "threads"), "");
    /* A tenth and a GiB for libraries, the page cache and MPI. */
    add_directive(s, "mem", ceil(bytes * 1.1 / GIB + 1), "G");
    add_limit(s, plan);
}

/* What was planned, as the script's first lines. */
static void add_head(script *s, const char *model, const json_t *plan)
{
    const json_t *run = json_object_get(plan, "run");
    char line[400], time[32], prefill[32];

    add_text(
        s,
        "#!/bin/bash\n# Made by ithaca plan from ithaca.sbatch, whose description follows.\n#\n");
    snprintf(line, sizeof line, "# %.200s, %.0f tokens, %s on %.0f nodes of \"%.60s\".\n", model,
             number(plan, "ctx"), json_string_value(json_object_get(plan, "distribution")),
             number(plan, "nodes"),
             json_string_value(json_object_get(json_object_get(plan, "node"), "name")));
    add_text(s, line);
    if (json_is_object(run)) {
        ith_format_time(time, number(run, "seconds"));
        ith_format_time(prefill, number(plan, "prefill_s"));
        snprintf(line, sizeof line,
                 "# A run that fills the context is expected to take %s: prefill %s, then %.3g "
                 "tokens per second.\n",
                 time, prefill, number(plan, "decode_tps"));
        add_text(s, line);
    }
    add_text(s, "#\n");
}

static bool begins(const char *line, const char *with)
{
    return strncmp(line, with, strlen(with)) == 0;
}

/* The arguments before those of sbatch. */
static void add_arguments(script *s, const char *model, const json_t *words, const json_t *plan)
{
    const json_t *word;
    char ctx[40];
    size_t i;

    snprintf(ctx, sizeof ctx, " --ctx %.0f", number(plan, "ctx"));
    add_text(s, "set -- -m ");
    add_quoted(s, model);
    add_text(s, ctx);
    json_array_foreach (words, i, word) {
        add_text(s, " ");
        add_quoted(s, json_string_value(word));
    }
    add_text(s, " \"$@\"\n");
}

static void fill(script *s, const char *model, const json_t *words, const json_t *plan)
{
    const char *at = ith_text_sbatch, *next;

    add_head(s, model, plan);
    for (at = strchr(at, '\n') + 1; *at != 0; at = next) {
        next = strchr(at, '\n') + 1;
        if (begins(at, "#SBATCH --nodes="))
            add_directives(s, plan);
        else if (!begins(at, "#SBATCH --ntasks-per-node="))
            add(s, at, (size_t)(next - at));
        if (begins(at, "status=0"))
            add_arguments(s, model, words, plan);
    }
}

/* A script takes no other file's place: not the model's, nor that of a machine file. */
static ith_status spare_others(const char *path, ith_error *err)
{
    struct stat info;
    char begins_with[2] = "";
    FILE *file = stat(path, &info) == 0 && S_ISREG(info.st_mode) ? fopen(path, "rb") : NULL;
    size_t n = file != NULL ? fread(begins_with, 1, sizeof begins_with, file) : 0;

    if (file != NULL)
        fclose(file);
    return n == 0 || (n == 2 && memcmp(begins_with, "#!", 2) == 0)
               ? ITH_OK
               : ith_fail(err, ITH_E_ARGUMENT, "%s exists and is no script: give another name",
                          path);
}

ith_status ith_cli_write_script(const char *path, const char *model, const json_t *words,
                                const json_t *plan, ith_error *err)
{
    script s = {0};
    ith_status status;

    if (!json_is_true(json_object_get(plan, "fits")))
        return ith_fail(err, ITH_E_ARGUMENT,
                        "no script is written: on none of these numbers of nodes weights and "
                        "context fit the memory");
    if (strpbrk(model, "\r\n") != NULL)
        return ith_fail(err, ITH_E_ARGUMENT, "a script cannot name a model with line ends");
    ITH_TRY(spare_others(path, err));
    fill(&s, model, words, plan);
    status = s.failed ? ith_fail(err, ITH_E_MEMORY, "%s: no memory", path)
                      : ith_newfile_text(AT_FDCWD, path, s.text, false, err);
    free(s.text);
    return status;
}
