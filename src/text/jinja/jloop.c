/* jloop.c - the variable `loop`, and cyclers. */
#include "text/jinja/jloop.h"

#include <string.h>

static ith_jval loop_cycle(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    if (args->n == 0)
        ith_jrun_fail(run, ITH_E_ARGUMENT, "loop.cycle has nothing to cycle through");
    return args->pos[self.as.loop->index0 % args->n];
}

static ith_jval loop_changed(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jlist *now = ith_jlist_new(run, args->n, ITH_JTEMPLATE), *last = self.as.loop->changed;

    for (size_t i = 0; i < args->n; i++)
        ith_jlist_add(run, now, args->pos[i]);
    self.as.loop->changed = now;
    return ith_jbool(last == NULL || !ith_jequal(run, ith_jlist_value(last, ITH_J_TUPLE),
                                                 ith_jlist_value(now, ITH_J_TUPLE)));
}

ith_jval ith_jloop_attr(ith_jrun *run, ith_jval v, const ith_jstr *name)
{
    static const ith_jbuiltin cycle = {"cycle", loop_cycle, "*", 0};
    static const ith_jbuiltin changed = {"changed", loop_changed, "*", 0};
    const ith_jloop *loop = v.as.loop;
    size_t n = loop->list->n, i = loop->index0;
    const struct {
        const char *name;
        ith_jval value;
    } attrs[] = {
        {"index", ith_jint((int64_t)i + 1)},
        {"index0", ith_jint((int64_t)i)},
        {"first", ith_jbool(i == 0)},
        {"last", ith_jbool(i + 1 == n)},
        {"length", ith_jint((int64_t)n)},
        {"revindex", ith_jint((int64_t)(n - i))},
        {"revindex0", ith_jint((int64_t)(n - i) - 1)},
        {"depth", ith_jint(loop->depth0 + 1)},
        {"depth0", ith_jint(loop->depth0)},
        {"previtem",
         i > 0 ? loop->list->items[i - 1] : ith_jundefined("there is no previous item")},
        {"nextitem",
         i + 1 < n ? loop->list->items[i + 1] : ith_jundefined("there is no next item")},
    };

    for (size_t k = 0; k < sizeof attrs / sizeof *attrs; k++)
        if (ith_jstr_is(name, attrs[k].name))
            return attrs[k].value;
    if (ith_jstr_is(name, "cycle"))
        return ith_jbound(run, v, &cycle);
    if (ith_jstr_is(name, "changed"))
        return ith_jbound(run, v, &changed);
    return (ith_jval){0};
}

static ith_jval cycle_next(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    ith_jcycle *cycle = self.as.cycle;
    ith_jval item = cycle->items[cycle->at];

    (void)run;
    (void)args;
    cycle->at = (cycle->at + 1) % cycle->n;
    return item;
}

static ith_jval cycle_reset(ith_jrun *run, ith_jval self, const ith_jargs *args)
{
    (void)run;
    (void)args;
    self.as.cycle->at = 0;
    return ith_jnone();
}

ith_jval ith_jcycle_attr(ith_jrun *run, ith_jval v, const ith_jstr *name)
{
    static const ith_jbuiltin next = {"next", cycle_next, "", 0};
    static const ith_jbuiltin reset = {"reset", cycle_reset, "", 0};

    if (ith_jstr_is(name, "current"))
        return v.as.cycle->items[v.as.cycle->at];
    if (ith_jstr_is(name, "next"))
        return ith_jbound(run, v, &next);
    return ith_jstr_is(name, "reset") ? ith_jbound(run, v, &reset) : (ith_jval){0};
}

ith_jval ith_jjoiner_call(ith_jrun *run, ith_jval v)
{
    bool used = v.as.cycle->used;

    v.as.cycle->used = true;
    return used ? v.as.cycle->items[0] : ith_jstring(ith_jstr_text(run, ""));
}
