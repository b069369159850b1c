/* manual.c - prints ithaca(1). */
#include "cli/manual.h"

#include "cli/families.h"

#include <ctype.h>
#include <string.h>

const ith_fact ith_manual_statuses[] = {
    {"0", "done"},
    {"1", "failed"},
    {"2", "wrong usage"},
    {"75",
     "stopped by a signal, and something new is saved (run --checkpoint): the same command gets "
     "further"},
    {"128 + N", "stopped by signal N; 141 if the reader of stdout has gone away"},
    {NULL, NULL},
};

const ith_fact ith_manual_environment[] = {
    {"NO_COLOR", "If it is set and not empty, messages on a terminal have no colour."},
    {"HF_HOME, HF_HUB_CACHE, HF_TOKEN, HF_ENDPOINT",
     "Where models from the hub are, and what ithaca pull asks: see there."},
    {"ITHACA_SIMD",
     "The highest instruction-set level that kernels may use. \"ithaca version\" lists the levels "
     "of this machine, from plain C (ref) up; amx is used only if it is named. The answer is the "
     "same with all of them."},
    {"ITHACA_RANKS_PER_NODE", "Divides a machine into nodes of so many ranks, as if each were a "
                              "machine of its own: to try on "
                              "one machine what happens between several."},
    {"ITHACA_NETWORK_TIMEOUT",
     "Seconds after which a rank that is stopped, or a machine that answers nothing any more over "
     "TCP, ends the run; 8 by default, 0 to wait for ever. Those that are only busy do answer. "
     "Where ranks have different values, a stopped rank has the longer of its own and its "
     "neighbour's."},
    {"ITHACA_TOPOLOGY",
     "A machine to imitate: a file of lstopo(1)'s XML, or a description such as \"numa:2 core:4 "
     "pu:1\". No thread is then bound, and no page is placed."},
    {"ITHACA_CPUS", "With ITHACA_TOPOLOGY: the CPUs that this process may use, such as \"0-3\"."},
    {"ITHACA_CACHES", "Sizes of a core's share of the first, second and third-level cache, such as "
                      "\"48KiB,2MiB,16MiB\", in place of those that the machine reports. Blocks "
                      "are cut to fit them; "
                      "the answer is the same with any."},
    {NULL, NULL},
};

static const char description[] =
    "ithaca runs decoder-only language models with prompts of 128k tokens and more on CPUs, in one "
    "process or on many MPI ranks that share the work of one prompt. The logits have the same bits "
    "on "
    "any number of ranks and threads.\n\n"
    "MODEL is a Hugging Face folder, a GGUF file, a pack (see ithaca pack), the name of a model "
    "that ithaca pull has downloaded, or random weights of a known shape: synthetic:SHAPE:TYPE. "
    "Any number of ranks works; those that divide the model's "
    "key/value "
    "heads exchange least.\n\n"
    "The first SIGINT, SIGTERM or SIGUSR1 ends an answer and keeps what was said; a second SIGINT "
    "or "
    "SIGTERM kills. mpirun kills its ranks soon after SIGTERM; SIGUSR1 it passes on.";

/* ---- man(7) ---- */

static void put_char(FILE *out, char c)
{
    if (c == '\\')
        fputs("\\e", out);
    else if (c == '-')
        fputs("\\-", out);
    else
        fputc(c, out);
}

/* Text of one paragraph or several; a line must not begin with a dot or a quote. */
static void put_text(FILE *out, const char *text, const char *paragraph)
{
    bool at_start = true;

    for (; *text != 0; text++) {
        if (text[0] == '\n' && text[1] == '\n') {
            fprintf(out, "\n%s\n", paragraph);
            text++;
            at_start = true;
            continue;
        }
        if (at_start && (*text == '.' || *text == '\''))
            fputs("\\&", out);
        put_char(out, *text);
        at_start = *text == '\n';
    }
    fputc('\n', out);
}

static void put_bold(FILE *out, const char *text)
{
    fputs("\\fB", out);
    for (; *text != 0; text++)
        put_char(out, *text);
    fputs("\\fR", out);
}

static void put_heading(FILE *out, const char *macro, const char *before, const char *name)
{
    fprintf(out, "%s \"%s", macro, before);
    for (; *name != 0; name++)
        put_char(out, *name);
    fputs("\"\n", out);
}

static void put_words(FILE *out, const ith_word *words)
{
    fputs(".RS\n", out);
    for (; words->name != NULL; words++) {
        if (words->help == NULL)
            continue;
        fputs(".TP 12\n", out);
        put_bold(out, words->name);
        fputc('\n', out);
        put_text(out, words->help, ".IP");
    }
    fputs(".RE\n", out);
}

static void put_option(FILE *out, const ith_option *option)
{
    char metavar[60], name[80], text[2000];

    fputs(".TP\n", out);
    if (option->letter != 0) {
        snprintf(name, sizeof name, "-%c", option->letter);
        put_bold(out, name);
        fputs(", ", out);
    }
    snprintf(name, sizeof name, "--%s", option->name);
    put_bold(out, name);
    fprintf(out, " \\fI%s\\fR\n", ith_option_metavar(option, metavar, sizeof metavar));
    ith_option_text(option, text, sizeof text);
    put_text(out, text, ".IP");
    if (option->words != NULL)
        put_words(out, option->words);
}

static void put_group(FILE *out, const ith_option_group *group)
{
    for (const ith_option *option = group->options; option->name != NULL; option++)
        put_option(out, option);
}

/* ---- Commands, and the groups that several of them share ---- */

static int count_uses(const ith_cli *cli, const ith_option_group *group)
{
    int n = 0;

    for (const ith_command *const *c = cli->commands; *c != NULL; c++)
        for (const ith_group_use *use = (*c)->groups; use->group != NULL; use++)
            n += use->group == group;
    return n;
}

static void put_synopsis(FILE *out, const ith_command *command)
{
    const char *line = command->synopsis;
    size_t name = strlen(command->name);

    while (*line != 0) {
        size_t len = strcspn(line, "\n");
        fputs(".br\n\\fBithaca ", out);
        for (size_t i = 0; i < len; i++) {
            if (i == name)
                fputs("\\fR", out);
            put_char(out, line[i]);
        }
        fputs(len <= name ? "\\fR\n" : "\n", out);
        line += len + (line[len] == '\n');
    }
}

/* "Also takes the options under Model, Memory and Output below." */
static void put_shared(const ith_cli *cli, FILE *out, const ith_command *command)
{
    const char *last = "", *separator = "Shared options, described below: ";

    for (const ith_group_use *use = command->groups; use->group != NULL; use++) {
        if (count_uses(cli, use->group) < 2 || strcmp(use->group->title, last) == 0)
            continue;
        fprintf(out, "%s%s", separator, use->group->title);
        separator = ", ";
        last = use->group->title;
    }
    if (*last != 0)
        fputs(".\n", out);
}

static void put_command(const ith_cli *cli, FILE *out, const ith_command *command)
{
    put_heading(out, ".SS", "ithaca ", command->name);
    put_text(out, command->description, ".PP");
    for (const ith_group_use *use = command->groups; use->group != NULL; use++)
        if (count_uses(cli, use->group) == 1)
            put_group(out, use->group);
    fputs(".PP\n", out);
    put_shared(cli, out, command);
    fputs(".PP\n.nf\n", out);
    put_text(out, command->examples, ".PP");
    fputs(".fi\n", out);
}

static bool used_before(const ith_cli *cli, const ith_command *const *command,
                        const ith_option_group *group)
{
    for (const ith_command *const *c = cli->commands; c != command; c++)
        for (const ith_group_use *use = (*c)->groups; use->group != NULL; use++)
            if (use->group == group)
                return true;
    return false;
}

/* Every group with more than one use, where it is first used. */
static void put_shared_groups(const ith_cli *cli, FILE *out)
{
    const char *last = "";

    for (const ith_command *const *c = cli->commands; *c != NULL; c++)
        for (const ith_group_use *use = (*c)->groups; use->group != NULL; use++) {
            if (count_uses(cli, use->group) < 2 || used_before(cli, c, use->group))
                continue;
            if (strcmp(use->group->title, last) != 0)
                put_heading(out, ".SS", "", use->group->title);
            last = use->group->title;
            put_group(out, use->group);
        }
}

static void put_facts(FILE *out, const char *title, const ith_fact *facts)
{
    put_heading(out, ".SH", "", title);
    for (; facts->name != NULL; facts++) {
        fputs(".TP\n", out);
        put_bold(out, facts->name);
        fputc('\n', out);
        put_text(out, facts->text, ".IP");
    }
}

void ith_manual_print(const ith_cli *cli, FILE *out)
{
    fputs(".TH ITHACA 1 \"\" \"Ithaca " ITH_VERSION "\"\n.nh\n.ad l\n.SH NAME\n"
          "ithaca \\- large language models with long contexts on CPU machines\n.SH SYNOPSIS\n",
          out);
    for (const ith_command *const *c = cli->commands; *c != NULL; c++)
        put_synopsis(out, *c);
    fputs(".br\n\\fBmpirun \\-n\\fR RANKS \\fBithaca\\fR COMMAND ...\n.SH DESCRIPTION\n", out);
    put_text(out, description, ".PP");
    fputs(".SH COMMANDS\n", out);
    for (const ith_command *const *c = cli->commands; *c != NULL; c++)
        put_command(cli, out, *c);
    fputs(".SH SHARED OPTIONS\n", out);
    put_shared_groups(cli, out);
    put_facts(out, "EXIT STATUS", ith_manual_statuses);
    put_facts(out, "ENVIRONMENT", ith_manual_environment);
    fputs(".SH SEE ALSO\n.BR mpirun (1),\n.BR sbatch (1)\n", out);
}
