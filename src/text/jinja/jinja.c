/* jinja.c - parses and renders templates. */
#include "text/jinja/jinja.h"
#include "base/number.h"
#include "text/jinja/jeval.h"
#include "text/jinja/jframes.h"
#include "text/jinja/jnames.h"
#include "text/jinja/jparser.h"
#include "text/utf8.h"

#include <stdlib.h>
#include <string.h>

enum { PARSE_BYTES = 256 << 20, TEMPLATE_BYTES = 4 << 20 };

/* Some tenth of a second. */
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
static const uint64_t steps_default = 100000;
#else
static const uint64_t steps_default = 5000000;
#endif
static const size_t memory_default = (size_t)256 << 20;

struct ith_jinja {
    ith_jrun run; /* of the parse; its arena holds the tree */
    char *where;
    ith_jtokens tokens;
    ith_jbody body;
    const char *source; /* while parsing */
    size_t len;
};

/* Numbers are read and written with a point in every locale. */
static ith_status in_c_locale(ith_jrun *run, void (*body)(void *arg), void *arg)
{
    locale_t before = uselocale(ith_c_locale());
    ith_status status = ith_jrun_protect(run, body, arg);

    uselocale(before);
    return status;
}

static void parse(void *arg)
{
    ith_jinja *template = arg;

    template->tokens = ith_jlex(&template->run, template->source, template->len);
    /* Counted now, because renderings in several threads only read the tree. */
    for (size_t i = 0; i < template->tokens.n; i++)
        if (template->tokens.data[i].text != NULL)
            ith_jstr_chars(&template->run, template->tokens.data[i].text);
    template->body = ith_jparse(&template->run, template->tokens);
    ith_jbody_check_names(&template->run, &template->body);
    ith_jframes_find(&template->run, &template->body);
}

ith_status ith_jinja_parse(const char *source, size_t len, const char *where, ith_jinja **out,
                           ith_error *err)
{
    ith_jinja *template;
    ith_status status;

    *out = NULL;
    if (len > TEMPLATE_BYTES)
        return ith_fail(err, ITH_E_FORMAT, "%s: a template of more than %d bytes", where,
                        TEMPLATE_BYTES);
    if (ith_utf8_valid_prefix(source, len) != len)
        return ith_fail(err, ITH_E_FORMAT, "%s: the template is not UTF-8", where);
    template = calloc(1, sizeof *template);
    if (template == NULL || (template->where = strdup(where)) == NULL) {
        free(template);
        return ith_fail(err, ITH_E_MEMORY, "%s: no memory for a template", where);
    }
    template->run.where = template->where;
    template->run.bytes_left = PARSE_BYTES;
    template->run.steps_left = UINT64_MAX;
    template->run.err = err;
    template->source = source;
    template->len = len;
    status = in_c_locale(&template->run, parse, template);
    template->source = NULL;
    template->run.err = NULL;
    if (status != ITH_OK) {
        ith_jinja_free(template);
        return status;
    }
    *out = template;
    return ITH_OK;
}

void ith_jinja_free(ith_jinja *template)
{
    if (template == NULL)
        return;
    ith_jrun_free(&template->run);
    free(template->where);
    free(template);
}

bool ith_jinja_reads(const ith_jinja *template, const char *name)
{
    return ith_jbody_reads(&template->body, name);
}

bool ith_jinja_quotes(const ith_jinja *template, const char *text)
{
    for (size_t i = 0; i < template->tokens.n; i++)
        if (template->tokens.data[i].kind == ITH_JT_STRING &&
            ith_jstr_is(template->tokens.data[i].text, text))
            return true;
    return false;
}

/* ---- Rendering ---- */

typedef struct render {
    const ith_jinja *template;
    const ith_jinja_input *input;
    ith_jrun run;
    ith_jbuild out;
} render;

/* Only variables that the template reads are converted. */
static void add_variables(render *r, const json_t *object, ith_jorigin origin)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)object, name, value) {
        bool messages = r->input->own_roles && strcmp(name, "messages") == 0;
        if (ith_jinja_reads(r->template, name))
            ith_jscope_set(&r->run, r->run.scope, ith_jstr_text(&r->run, name),
                           messages && origin == ITH_JINPUT
                               ? ith_jfrom_messages(&r->run, value)
                               : ith_jfrom_json(&r->run, value, origin));
    }
}

static void render_body(void *arg)
{
    render *r = arg;

    r->run.out = &r->out;
    r->run.scope = ith_jscope_new(&r->run, NULL);
    add_variables(r, r->input->own, ITH_JTEMPLATE);
    add_variables(r, r->input->conversation, ITH_JINPUT);
    r->run.scope = ith_jscope_new(&r->run, r->run.scope);
    ith_jscope_hide(&r->run, r->run.scope, &r->template->body);
    ith_jexec(&r->run, &r->template->body);
}

static size_t run_end(const ith_jbuild *build, size_t at)
{
    size_t end = at;

    if (build->from == NULL)
        return build->len;
    while (end < build->len && build->from[end] == build->from[at])
        end++;
    return end;
}

static ith_status take_text(const ith_jbuild *build, ith_jinja_text *out, ith_error *err)
{
    size_t n = 0;

    for (size_t at = 0; at < build->len; at = run_end(build, at))
        n++;
    out->text = malloc(build->len + 1);
    out->passages = calloc(n + 1, sizeof *out->passages);
    if (out->text == NULL || out->passages == NULL) {
        ith_jinja_text_free(out);
        return ith_fail(err, ITH_E_MEMORY, "no memory for a prompt of %zu bytes", build->len);
    }
    if (build->len > 0)
        memcpy(out->text, build->data, build->len);
    out->text[build->len] = '\0';
    out->len = build->len;
    for (size_t at = 0, end; at < build->len; at = end) {
        unsigned char origin = build->from == NULL ? build->origin : build->from[at];
        end = run_end(build, at);
        out->passages[out->n_passages++] =
            (ith_passage){at, end, .from_template = origin == ITH_JTEMPLATE};
    }
    return ITH_OK;
}

ith_status ith_jinja_render(const ith_jinja *template, const ith_jinja_input *input,
                            const ith_jinja_limits *limits, ith_jinja_text *out, ith_error *err)
{
    static const ith_jinja_limits none = {0};
    render r = {.template = template, .input = input};
    ith_status status;

    memset(out, 0, sizeof *out);
    limits = limits == NULL ? &none : limits;
    r.run.where = template->where;
    r.run.line = 1;
    r.run.err = err;
    r.run.steps_left = (limits->steps != 0 ? limits->steps : steps_default) + limits->more_steps;
    r.run.bytes_left =
        (limits->memory_bytes != 0 ? limits->memory_bytes : memory_default) + limits->more_bytes;
    r.run.now = limits->now != 0 ? limits->now : time(NULL);
    r.out.run = &r.run;
    status = in_c_locale(&r.run, render_body, &r);
    if (status == ITH_OK)
        status = take_text(&r.out, out, err);
    ith_jrun_free(&r.run);
    return status;
}

void ith_jinja_text_free(ith_jinja_text *text)
{
    free(text->text);
    free(text->passages);
    memset(text, 0, sizeof *text);
}
