/* elements.js - makes elements, and writes numbers for people. */

const $ = (id) => document.getElementById(id);
const whole = (n) => Math.round(n).toLocaleString("en");

/* An element with properties or attributes, and children: elements or texts. */
function make(tag, properties, ...children) {
    const e = document.createElement(tag);
    for (const [name, value] of Object.entries(properties || {}))
        if (name in e)
            e[name] = value;
        else
            e.setAttribute(name, value);
    e.append(...children);
    return e;
}

function button(label, className, onclick, properties) {
    return make("button", { type: "button", className, onclick, ...properties }, label);
}

function duration(s) {
    s = Math.max(0, Math.round(s));
    if (s < 60)
        return `${s} s`;
    return s < 3600 ? `${Math.floor(s / 60)} min ${s % 60} s`
                    : `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
}

function rate(tokens, s) {
    const r = tokens / s;
    return `${r < 100 ? r.toFixed(1) : whole(r)} tokens/s`;
}
