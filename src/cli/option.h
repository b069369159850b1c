/* option.h - what an option, a group of options and a command are.
 *
 * Each is written once, as a constant. The parser (arguments.h), -h and --help (help.h), the manual
 * page (manual.h) and the shells' completion (completion.h) all come from these tables.
 */
#ifndef ITH_CLI_OPTION_H
#define ITH_CLI_OPTION_H

#include "cli/command.h"

typedef enum ith_option_kind {
    ITH_OPTION_FLAG,   /* bool: becomes true */
    ITH_OPTION_TEXT,   /* const char *: points into argv */
    ITH_OPTION_FILE,   /* the same; shells complete it to a file or folder */
    ITH_OPTION_LIST,   /* ith_option_list: may be repeated */
    ITH_OPTION_INT,    /* int64_t in [min, max] */
    ITH_OPTION_TOKENS, /* the same; k and m are accepted: 128k is 131,072 */
    ITH_OPTION_BYTES,  /* the same, in the units of base/size.h: 60GiB */
    ITH_OPTION_REAL,   /* double in [min, max] */
    ITH_OPTION_WORD    /* int: the value of one of `words` */
} ith_option_kind;

enum { ITH_OPTION_LIST_MAX = 16, ITH_OPTION_ALIASES_MAX = 2 };

typedef struct ith_option_list {
    const char *items[ITH_OPTION_LIST_MAX];
    size_t n;
} ith_option_list;

typedef struct ith_word {
    const char *name;
    int value;
    const char *help; /* NULL: an alias of the word before it, accepted and not listed */
} ith_word;

typedef struct ith_option {
    const char *name;                                /* long name, without dashes */
    const char *aliases[ITH_OPTION_ALIASES_MAX + 1]; /* other long names, up to a NULL */
    const char *metavar; /* what help calls the value, "FILE"; NULL: flags, or "one|two" of words */
    const char *preset;  /* the default, parsed like a given value; NULL: none */
    const char *otherwise; /* in words: what happens without the option; NULL: the preset says it */
    const char *help;      /* one line; lower case, no full stop */
    const char *more;      /* sentences for the full help; NULL: none */
    const ith_word *words; /* up to one whose name is NULL */
    size_t at;             /* offset of the value in the struct of its group */
    double min, max;
    ith_option_kind kind;
    char letter; /* short name; 0: none */
} ith_option;

typedef struct ith_option_group {
    const char *title;         /* heading; neighbours with the same title become one */
    const ith_option *options; /* up to one whose name is NULL */
} ith_option_group;

typedef struct ith_group_use {
    const ith_option_group *group; /* NULL ends the list */
    size_t at; /* offset of the group's struct in the arguments of the command */
} ith_group_use;

typedef struct ith_command {
    const char *name;        /* "run", "bench model" */
    const char *summary;     /* one line; lower case, no full stop */
    const char *synopsis;    /* lines, at most 76 columns, each without "ithaca " */
    const char *description; /* paragraphs, separated by an empty line */
    const char *examples;    /* lines as they are typed, each with its line end */
    const ith_group_use *groups;
    const char *operand; /* option that a word without an option sets, "model"; NULL: none. If it
                            is a list, several words do */
    bool collective;     /* false: rank 0 works, the others are done */
    int (*run)(const ith_cli *cli, int argc, char **argv); /* argv[0] is the command's name */
} ith_command;

/* The name of a value, "" if no word has it. */
const char *ith_word_name(const ith_word *words, int value);

/* `metavar`, or the words as "one|two|three" in `text`. */
const char *ith_option_metavar(const ith_option *option, char *text, size_t size);

/* What the full help says about an option, as sentences: help, more, default, aliases. */
void ith_option_text(const ith_option *option, char *text, size_t size);

#endif
