/* completion.c - prints the completion of bash and zsh. Aliases are accepted and not offered. */
#include "cli/completion.h"

#include "cli/families.h"

#include <ctype.h>
#include <string.h>

typedef void option_fn(FILE *out, const ith_option *option);

static void for_options(FILE *out, const ith_command *command, option_fn *put)
{
    for (const ith_group_use *use = command->groups; use->group != NULL; use++)
        for (const ith_option *option = use->group->options; option->name != NULL; option++)
            put(out, option);
}

static void for_members(const ith_cli *cli, FILE *out, const ith_command_family *family,
                        void (*put)(FILE *out, const char *name, const char *summary))
{
    for (const ith_command *const *c = cli->commands; *c != NULL; c++) {
        const char *member = ith_family_member(family, *c);
        if (member != NULL)
            put(out, member, (*c)->summary);
    }
}

static void for_first_words(const ith_cli *cli, FILE *out,
                            void (*put)(FILE *out, const char *name, const char *summary))
{
    for (const ith_command *const *c = cli->commands; *c != NULL; c++)
        if (strchr((*c)->name, ' ') == NULL)
            put(out, (*c)->name, (*c)->summary);
    for (const ith_command_family *f = ith_command_families; f->name != NULL; f++)
        put(out, f->name, f->summary);
}

/* ---- bash ---- */

static void put_name(FILE *out, const char *name, const char *summary)
{
    (void)summary;
    fprintf(out, "%s ", name);
}

static void put_names(FILE *out, const ith_option *option)
{
    fprintf(out, "--%s ", option->name);
    if (option->letter != 0)
        fprintf(out, "-%c ", option->letter);
}

/* "--kv) words='q8 bf16 f32' ;;" */
static void put_value(FILE *out, const ith_option *option)
{
    if (option->kind == ITH_OPTION_FLAG)
        return;
    fprintf(out, "        --%s", option->name);
    if (option->letter != 0)
        fprintf(out, "|-%c", option->letter);
    for (const char *const *alias = option->aliases; *alias != NULL; alias++)
        fprintf(out, "|--%s", *alias);
    if (option->kind == ITH_OPTION_FILE) {
        fputs(") kind='file' ;;\n", out);
        return;
    }
    fputs(") kind='word'; words='", out);
    for (const ith_word *word = option->words; word != NULL && word->name != NULL; word++)
        if (word->help != NULL)
            fprintf(out, "%s ", word->name);
    fputs("' ;;\n", out);
}

static void put_bash_command(FILE *out, const ith_command *command)
{
    fprintf(out, "    '%s')\n        options='--help -h ", command->name);
    for_options(out, command, put_names);
    fputs("'\n        case $previous in\n", out);
    for_options(out, command, put_value);
    fputs("        esac\n        ;;\n", out);
}

void ith_completion_bash(const ith_cli *cli, FILE *out)
{
    fputs("# bash completion of ithaca; made by \"ithaca help --completion bash\"\n"
          "_ithaca()\n{\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
          "    local command=${COMP_WORDS[1]} kind='option' options='' words=''\n"
          "    if ((COMP_CWORD == 1)); then\n"
          "        mapfile -t COMPREPLY < <(compgen -W '",
          out);
    for_first_words(cli, out, put_name);
    fputs("' -- \"$current\")\n        return\n    fi\n    case $command in\n", out);
    for (const ith_command_family *f = ith_command_families; f->name != NULL; f++) {
        fprintf(out, "    %s)\n        if ((COMP_CWORD == 2)); then\n            words='", f->name);
        for_members(cli, out, f, put_name);
        fputs(
            "'\n            mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
            "            return\n        fi\n        command+=\" ${COMP_WORDS[2]}\"\n        ;;\n",
            out);
    }
    fputs("    esac\n    case $command in\n", out);
    for (const ith_command *const *c = cli->commands; *c != NULL; c++)
        put_bash_command(out, *c);
    fputs("    esac\n"
          "    if [[ $kind == option && $current == -* ]]; then\n"
          "        kind='word' words=$options\n"
          "    fi\n"
          "    if [[ $kind == word ]]; then\n"
          "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
          "    else\n"
          "        compopt -o filenames 2>/dev/null\n"
          "        mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
          "    fi\n}\n"
          "complete -F _ithaca ithaca\n",
          out);
}

/* ---- zsh ---- */

/* Text between single quotes and brackets of a specification. */
static void put_plain(FILE *out, const char *text)
{
    for (; *text != 0; text++)
        if (*text == '\'')
            fputs("'\\''", out);
        else if (*text == '[' || *text == ']')
            fputc(*text == '[' ? '(' : ')', out);
        else if (*text == ':')
            fputs("\\:", out);
        else
            fputc(*text, out);
}

/* Text that the shell reads once more. */
static void put_escaped(FILE *out, const char *text)
{
    for (; *text != 0; text++)
        if (*text == '\'')
            fputs("\\'\\''", out);
        else if (isalnum((unsigned char)*text))
            fputc(*text, out);
        else
            fprintf(out, "\\%c", *text);
}

static void put_described(FILE *out, const char *name, const char *summary)
{
    fprintf(out, "'%s:", name);
    put_plain(out, summary);
    fputs("' ", out);
}

/* ":HOW:((auto\:first\ one ...))" */
static void put_zsh_value(FILE *out, const ith_option *option)
{
    if (option->kind == ITH_OPTION_FLAG)
        return;
    fputc(':', out);
    put_plain(out, option->metavar != NULL ? option->metavar : "value");
    if (option->kind == ITH_OPTION_FILE) {
        fputs(":_files", out);
        return;
    }
    fputc(':', out);
    if (option->words == NULL)
        return;
    fputs("((", out);
    for (const ith_word *word = option->words; word->name != NULL; word++) {
        if (word->help == NULL)
            continue;
        fprintf(out, "%s\\:", word->name);
        put_escaped(out, word->help);
        fputc(' ', out);
    }
    fputs("))", out);
}

static void put_zsh_name(FILE *out, const ith_option *option, const char *dashes, const char *name)
{
    fprintf(out, " \\\n        '%s%s%s[", option->kind == ITH_OPTION_LIST ? "*" : "", dashes, name);
    put_plain(out, option->help);
    fputc(']', out);
    put_zsh_value(out, option);
    fputc('\'', out);
}

static void put_zsh_option(FILE *out, const ith_option *option)
{
    const char letter[2] = {option->letter, 0};

    put_zsh_name(out, option, "--", option->name);
    if (option->letter != 0)
        put_zsh_name(out, option, "-", letter);
}

void ith_completion_zsh(const ith_cli *cli, FILE *out)
{
    fputs("#compdef ithaca\n# made by \"ithaca help --completion zsh\"\n_ithaca() {\n"
          "    local command=$words[2]\n    local -a choices\n"
          "    if ((CURRENT == 2)); then\n        choices=(",
          out);
    for_first_words(cli, out, put_described);
    fputs(")\n        _describe command choices\n        return\n    fi\n    case $command in\n",
          out);
    for (const ith_command_family *f = ith_command_families; f->name != NULL; f++) {
        fprintf(out, "    %s)\n        if ((CURRENT == 3)); then\n            choices=(", f->name);
        for_members(cli, out, f, put_described);
        fputs(")\n            _describe command choices\n            return\n        fi\n"
              "        command+=\" $words[3]\"\n        shift words\n        ((CURRENT--))\n       "
              " ;;\n",
              out);
    }
    fputs("    esac\n    shift words\n    ((CURRENT--))\n    case $command in\n", out);
    for (const ith_command *const *c = cli->commands; *c != NULL; c++) {
        fprintf(out, "    '%s') _arguments '--help[explain every option]' '-h[list the options]'",
                (*c)->name);
        for_options(out, *c, put_zsh_option);
        fputs(" '*:file:_files' ;;\n", out);
    }
    fputs("    esac\n}\n_ithaca \"$@\"\n", out);
}
