/* markdown.js - shows what a model writes: Markdown as elements and text nodes, never as HTML. */

/* ---- Blocks ---- */

/* Blocks are {source, make}: make() gives one element. Depth is bounded, and so is what a pattern
 * looks at, because a model may write anything. */
const DEEPEST = 12;
const LIST = /^( *)([-*+]|\d{1,9}[.)])( +|$)/;
const FENCE = /^( {0,3})(`{3,}|~{3,})/;
const HEADING = /^ {0,3}(#{1,6})(?: +(.*))?$/;
const RULE = /^ {0,3}(?:(?:- *){3,}|(?:\* *){3,}|(?:_ *){3,})$/;
const QUOTE = /^ {0,3}>/;
const ALIGNMENT = /^ *:?-+:? *$/;

const indent = (line) => line.length - line.trimStart().length;
const isBlank = (line) => line.trim() === "";

/* [before, mark, info] of a line that begins code; null: it does not. */
function fenceOf(line) {
    const [all, before, mark] = line.match(FENCE) || [""], info = line.slice(all.length);
    return all === "" || (mark[0] === "`" && info.includes("`")) ? null : [before, mark, info];
}

function readFence(lines, i) {
    const [before, mark, info] = fenceOf(lines[i]) || [];
    if (mark === undefined)
        return null;
    const code = [];
    let end = i + 1;
    for (; end < lines.length; end++) {
        const line = lines[end].trim();
        if (line.length >= mark.length && line === mark[0].repeat(line.length))
            break;
        code.push(lines[end].slice(Math.min(before.length, indent(lines[end]))));
    }
    return { end: end + 1, make: () => makeCode(code.join("\n"), info.trim().split(/\s/)[0]) };
}

function makeCode(code, language) {
    const copy = button("Copy", "small", () => copyText(code, copy), { "aria-label": "Copy code" });
    return make("div", { className: "code" },
                make("div", { className: "code-head" }, make("span", null, language), copy),
                make("pre", { tabIndex: 0 }, make("code", null, code)));
}

function readHeading(lines, i) {
    const found = lines[i].match(HEADING);
    if (!found)
        return null;
    const text = withoutHashes((found[2] || "").trimEnd());
    return { end: i + 1, make: () => inline(make(`h${Math.min(found[1].length + 2, 6)}`), text) };
}

/* A heading may end with hashes behind a space, which are not of it. */
function withoutHashes(text) {
    let end = text.length;
    while (end > 0 && text[end - 1] === "#")
        end--;
    return end === 0 || text[end - 1] === " " ? text.slice(0, end).trimEnd() : text;
}

function readRule(lines, i) {
    return RULE.test(lines[i]) ? { end: i + 1, make: () => make("hr") } : null;
}

function readQuote(lines, i, depth) {
    let end = i;
    while (end < lines.length && QUOTE.test(lines[end]))
        end++;
    if (end === i || depth >= DEEPEST)
        return null;
    const inside = lines.slice(i, end).map((line) => line.replace(/^ {0,3}> ?/, ""));
    return { end, make: () => fill(make("blockquote"), inside, depth + 1) };
}

/* The lines of one item, dedented, and where it ends. */
function readItem(lines, i, [start, before, , space]) {
    const inner = space.length > 4 || space === "" ? start.length - Math.max(space.length - 1, -1)
                                                   : start.length;
    const item = [lines[i].slice(start.length)];
    let end = i + 1, blank = false;
    for (; end < lines.length; end++) {
        const line = lines[end], at = indent(line);
        if (isBlank(line)) {
            item.push("");
            blank = true;
            continue;
        }
        const nested = LIST.test(line) && at > before.length + 1;
        if (at < inner && !nested && (blank || startsBlock(lines, end)))
            break;
        item.push(line.slice(Math.min(at, inner)));
        blank = false;
    }
    while (item.length > 1 && item[item.length - 1] === "" && end-- > 0)
        item.pop();
    return [item, end];
}

function readList(lines, i, depth) {
    const first = lines[i].match(LIST);
    if (!first || first[1].length > 3 || depth >= DEEPEST)
        return null;
    const ordered = /\d/.test(first[2]), kind = first[2].slice(-1), items = [];
    let end = i;
    for (let next = i; next < lines.length;) {
        const mark = lines[next].match(LIST);
        if (isBlank(lines[next])) {
            next++;
            continue;
        }
        if (!mark || mark[2].slice(-1) !== kind || mark[1].length > first[1].length + 1 ||
            RULE.test(lines[next]))
            break;
        const [item, after] = readItem(lines, next, mark);
        items.push(item);
        end = next = after;
    }
    if (items.length === 0)
        return null;
    return { end, make: () => makeList(items, ordered ? parseInt(first[2], 10) : null, depth) };
}

function makeList(items, number, depth) {
    const list = number === null ? make("ul") : make("ol", { start: number });
    for (const item of items) {
        const [, box, rest] = item[0].match(/^\[([ xX])\] +(.*)$/) || [], task = box !== undefined;
        const text = task ? [(box === " " ? "\u2610 " : "\u2611 ") + rest, ...item.slice(1)] : item;
        list.append(fill(make("li", { className: task ? "task" : "" }), text, depth + 1));
    }
    return list;
}

function cells(line) {
    const all = line.trim().replace(/^\|/, "").replace(/\|$/, "").split(/(?<!\\)\|/);
    return all.map((cell) => cell.trim().replace(/\\\|/g, "|"));
}

function isTable(lines, i) {
    if (i + 1 >= lines.length || !lines[i].includes("|") || !lines[i + 1].includes("-"))
        return false;
    const rule = cells(lines[i + 1]);
    return rule.length === cells(lines[i]).length && rule.every((cell) => ALIGNMENT.test(cell));
}

function readTable(lines, i) {
    if (!isTable(lines, i))
        return null;
    let end = i + 2;
    while (end < lines.length && lines[end].includes("|"))
        end++;
    return { end, make: () => makeTable(cells(lines[i]), cells(lines[i + 1]),
                                        lines.slice(i + 2, end).map(cells)) };
}

function makeTable(head, rule, rows) {
    const side = rule.map((r) => !r.endsWith(":") ? "" : r.startsWith(":") ? "middle" : "right");
    const row = (tag, texts) => make("tr", null, ...side.map((className, k) =>
        inline(make(tag, { className }), texts[k] || "")));
    return make("div", { className: "table", tabIndex: 0, role: "group", "aria-label": "Table" },
                make("table", null, make("thead", null, row("th", head)),
                     make("tbody", null, ...rows.map((texts) => row("td", texts)))));
}

/* Does line i end a paragraph? */
function startsBlock(lines, i) {
    const line = lines[i], mark = line.match(LIST);
    return fenceOf(line) !== null || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) ||
           (mark !== null && mark[3] !== "") || isTable(lines, i);
}

function readParagraph(lines, i) {
    let end = i + 1;
    while (end < lines.length && !isBlank(lines[end]) && !startsBlock(lines, end))
        end++;
    const text = lines.slice(i, end).map((line) => line.trim()).join("\n");
    return { end, make: () => inline(make("p"), text) };
}

const READERS = [readFence, readHeading, readRule, readQuote, readList, readTable, readParagraph];

function parse(lines, depth) {
    const blocks = [];
    for (let i = 0; i < lines.length;) {
        let found = null;
        if (isBlank(lines[i])) {
            i++;
            continue;
        }
        for (const read of READERS)
            if ((found = read(lines, i, depth)) !== null)
                break;
        blocks.push({ source: lines.slice(i, found.end).join("\n"), make: found.make });
        i = found.end;
    }
    return blocks;
}

function fill(into, lines, depth) {
    into.append(...parse(lines, depth).map((block) => block.make()));
    return into;
}

/* Shows a text that grows: blocks that are as before stay. */
function showText(into, text) {
    const blocks = parse(text.replace(/\r\n?/g, "\n").replace(/\t/g, "    ").split("\n"), 0);
    const old = into.sources || [];
    let same = 0;
    while (same < old.length && same < blocks.length && old[same] === blocks[same].source)
        same++;
    while (into.childElementCount > same)
        into.lastElementChild.remove();
    into.append(...blocks.slice(same).map((block) => block.make()));
    into.sources = blocks.map((block) => block.source);
}

/* ---- Inside a block ---- */

const LINK = /(!?)\[((?:[^[\]\\]|\\.|\[[^[\]]{0,200}\]){0,500})\]\(((?:[^\s<>()]|\([^\s<>()]{0,500}\)){1,2000})(?: "[^"]{0,500}")?\)/y;
const ADDRESS = /<?(https?:\/\/[^\s<>"'`]{1,2000})>?/y;
const BREAK = /<br *\/?>/iy;
const MARKS = [["**", "strong"], ["__", "strong"], ["~~", "del"], ["*", "em"], ["_", "em"]];
const isWord = (c) => c !== undefined && /[\p{L}\p{N}]/u.test(c);
const isSpace = (c) => c === undefined || /\s/.test(c);

function matchAt(pattern, text, i) {
    pattern.lastIndex = i;
    return pattern.exec(text);
}

/* Where a mark that opens at i is closed; -1: nowhere. `open` are the marks without an end. */
function closing(text, i, mark, open) {
    const from = i + mark.length;
    if (open.has(mark) || isSpace(text[from]) || (mark[0] === "_" && isWord(text[i - 1])))
        return -1;
    for (let at = text.indexOf(mark, from + 1); at >= 0; at = text.indexOf(mark, at + 1)) {
        if (mark.length === 1 && text[at + 1] === mark) {
            at++; /* of a double mark */
            continue;
        }
        if (mark.length === 2 && text[at + 2] === mark[0])
            at++; /* "*" of a single mark inside, then this one */
        if (!isSpace(text[at - 1]) && text[at - 1] !== "\\" &&
            !(mark[0] === "_" && isWord(text[at + mark.length])))
            return at;
    }
    open.add(mark);
    return -1;
}

/* A link, or its text if it leads nowhere good. */
function makeLink(address, label) {
    if (!/^(https?:\/\/|mailto:)/i.test(address))
        return label;
    return make("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, label);
}

/* What is at i, as [nodes, where it ends]; null: a character. */
function readInline(text, i, depth, open) {
    const c = text[i];
    let found;
    if (c === "\\" && /[!-/:-@[-`{-~]/.test(text[i + 1] || ""))
        return [text[i + 1], i + 2];
    if (c === "`")
        return readCode(text, i, open);
    if ((c === "[" || c === "!") && (found = matchAt(LINK, text, i)))
        return [makeLink(found[3], inline(make("span"), found[2], depth + 1)), LINK.lastIndex];
    if (c === "<" && (found = matchAt(BREAK, text, i)))
        return [make("br"), BREAK.lastIndex];
    if ((c === "h" || c === "<") && (found = matchAt(ADDRESS, text, i)))
        return readAddress(found, i);
    for (const [mark, tag] of MARKS) {
        if (!text.startsWith(mark, i))
            continue;
        const end = depth < DEEPEST ? closing(text, i, mark, open) : -1;
        if (end >= 0)
            return [inline(make(tag), text.slice(i + mark.length, end), depth + 1),
                    end + mark.length];
    }
    return null;
}

function readCode(text, i, open) {
    const ticks = matchAt(/`+/y, text, i)[0];
    if (!open.has(ticks)) {
        const pattern = new RegExp(`(?<!\`)${ticks}(?!\`)`, "g");
        const end = matchAt(pattern, text, i + ticks.length);
        if (end)
            return [make("code", null, text.slice(i + ticks.length, end.index)
                                           .replace(/^ (.*[^ ].*) $/, "$1")),
                    pattern.lastIndex];
        open.add(ticks);
    }
    return [ticks, i + ticks.length];
}

/* The stops and brackets behind an address are not of it. */
function readAddress(found, i) {
    let address = found[1];
    if (!found[0].startsWith("<")) {
        address = address.replace(/[.,;:!?*_~]+$/, "");
        if (address.endsWith(")") && !address.includes("("))
            address = address.slice(0, -1);
        return [makeLink(address, address), i + address.length];
    }
    return [makeLink(address, address), i + found[0].length];
}

function inline(into, text, depth = 0) {
    const open = new Set();
    let plain = "", i = 0;
    while (i < text.length) {
        const found = readInline(text, i, depth, open);
        if (found === null) {
            plain += text[i++];
            continue;
        }
        into.append(plain, found[0]);
        plain = "";
        i = found[1];
    }
    into.append(plain);
    return into;
}
