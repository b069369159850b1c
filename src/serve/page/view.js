/* view.js - shows conversations, and reads them out. */

let blank = newChat();
let current = blank;
let frame = 0, nextFrame = 0;
const notices = new Map();

/* What each part of the page has to say; "": nothing more. */
function notify(part, text) {
    if ((notices.get(part) || "") === text)
        return;
    notices.set(part, text);
    const all = [...notices.values()].filter((t) => t !== "");
    $("notice").textContent = all.join(" ");
    $("notice").hidden = all.length === 0;
}

function announce(text) {
    $("status").textContent = text;
}

/* Reads out the blocks of the last answer that are complete. */
function speak(all) {
    const blocks = $("messages").lastElementChild.querySelector(":scope > .text").children;
    for (; speak.said < blocks.length - (all ? 0 : 1); speak.said++)
        $("spoken").append(make("p", null, blocks[speak.said].textContent));
    if (all)
        speak.said = 0;
}
speak.said = 0;

function drawFrame() {
    const began = performance.now();
    frame = 0;
    drawWork();
    nextFrame = performance.now() + 9 * (performance.now() - began);
}

/* What is long is drawn less often, so that drawing takes a tenth of the time at most. */
function changed(chat) {
    if (chat !== current || frame !== 0)
        return;
    frame = setTimeout(() => requestAnimationFrame(drawFrame),
                       Math.max(0, nextFrame - performance.now()));
}

function drawList() {
    const sorted = [...chats.values()].sort((a, b) => b.updated - a.updated);
    $("list").replaceChildren(...sorted.map((chat) => {
        const is = chat === current, busy = working.has(chat.id);
        const pick = button(chat.title, "pick", () => open(chat), {
            "aria-current": is ? "true" : "false", title: chat.title });
        const item = make("li", { className: `${is ? "current" : ""} ${busy ? "busy" : ""}` }, pick);
        if (busy)
            pick.append(make("span", { className: "hidden" }, ", being answered"));
        if (is)
            item.append(make("div", { className: "tools" },
                button("Rename", "small", () => rename(chat)),
                button("Export", "small", () => download(chat)),
                button("Delete", "small", () => remove(chat))));
        return item;
    }));
}

function chip(file, drop) {
    const size = file.size < 10240 ? `${whole(file.size)} B` : `${whole(file.size / 1024)} KiB`;
    const lost = !hasDocument(file);
    const item = make("li", { className: lost ? "chip lost" : "chip" },
                      make("b", { title: file.name }, file.name),
                      make("span", null, lost ? "no longer in this browser" : size));
    if (drop)
        item.append(button("\u2715", "", drop, { "aria-label": `Remove ${file.name}` }));
    return item;
}

function drawUser(message, i) {
    const busy = working.has(current.id) || isElsewhere(current);
    const body = make("div", { className: "body" });
    body.append(make("ul", { className: "chips", "aria-label": "Documents" },
                     ...(message.files || []).map((file) => chip(file))), message.text);
    const copy = button("Copy", "small", () => copyText(message.text, copy),
                        { "aria-label": "Copy message" });
    return [body, make("div", { className: "under" }, copy,
                       button("Edit", "small edit", () => edit(i), { disabled: busy }))];
}

function statsText(s) {
    const parts = [];
    if (s && s.prompt && s.promptMs)
        parts.push(`${whole(s.prompt)} prompt tokens in ${duration(s.promptMs / 1000)}`);
    if (s && s.answer)
        parts.push(`${whole(s.answer)} tokens` +
                   (s.answer > 1 && s.answerMs > 0 ? `, ${rate(s.answer - 1, s.answerMs / 1000)}` : ""));
    return parts.join(" \u00b7 ");
}

function drawThought(reply, was) {
    if (!reply.thought)
        return [];
    const text = make("div", { className: "text" });
    showText(text, reply.thought);
    return [make("details", { className: "thought", open: was && was.open },
                 make("summary", null, reply.text || !working.has(current.id) ? "Reasoning" : "Reasoning\u2026"), text)];
}

function drawEnd(reply, i) {
    const last = i === current.messages.length - 1, parts = [];
    const copy = button("Copy", "small", () => copyText(reply.text, copy),
                        { "aria-label": "Copy answer" });
    if (reply.state === "failed")
        parts.push(make("p", { className: "failure" }, reply.failure));
    if (reply.state === "stopped")
        parts.push(make("p", { className: "work" }, "Stopped."));
    if (reply.state === "done" && reply.stats && reply.stats.finish === "length")
        parts.push(make("p", { className: "work" }, "Cut off: max tokens, or the end of the context, was reached."));
    parts.push(make("div", { className: "under" },
                    make("span", { className: "stats" }, statsText(reply.stats)),
                    reply.text ? copy : ""));
    if (last)
        parts[parts.length - 1].append(button(reply.state === "failed" ? "Try again" : "Regenerate",
                                              "small again", regenerate));
    return parts;
}

function drawMessage(message, i) {
    const user = message.role === "user";
    const item = make("li", { className: `message ${message.role}` },
                      make("h2", null, user ? "You" : "Assistant"));
    if (user)
        item.append(...drawUser(message, i));
    else {
        const text = make("div", { className: "text" });
        showText(text, message.text);
        item.append(...drawThought(message), text);
        if (message.state === "waiting")
            item.append(make("div", { className: "work" },
                             isElsewhere(current) ? "Being answered in another tab." : ""));
        else
            item.append(...drawEnd(message, i));
    }
    return item;
}

function draw() {
    const busy = working.has(current.id), empty = current.messages.length === 0;
    const down = isAtEnd();
    $("title").textContent = current.title;
    document.title = empty ? "Ithaca" : `${current.title} \u2013 Ithaca`;
    $("messages").replaceChildren(...current.messages.map(drawMessage));
    $("empty").hidden = !empty;
    $("send").hidden = busy;
    $("send").disabled = isElsewhere(current);
    $("stop").hidden = !busy;
    drawList();
    if (busy)
        drawWork();
    if (down)
        toEnd();
}

/* The conversation that is shown has been changed elsewhere. A message that is being edited stays:
 * what is written there would be lost. An answer that grows in another page grows here. */
function showChange(chat) {
    const before = current, last = $("messages").lastElementChild;
    current = chat;
    if (isEditing())
        drawList();
    else if (isElsewhere(before) && isElsewhere(chat) &&
             before.messages.length === chat.messages.length)
        showText(last.querySelector(":scope > .text"), chat.messages[chat.messages.length - 1].text);
    else
        draw();
}

const isEditing = () => $("messages").querySelector("form") !== null;
const isAtEnd = () => $("scroll").scrollHeight - $("scroll").scrollTop - $("scroll").clientHeight < 60;
const toEnd = () => { $("scroll").scrollTop = $("scroll").scrollHeight; };

/* The message that grows. */
function drawWork() {
    const work = working.get(current.id), item = $("messages").lastElementChild;
    const reply = current.messages[current.messages.length - 1], down = isAtEnd();
    if (!work || !item)
        return;
    const was = item.querySelector("details.thought"), text = item.querySelector(":scope > .text");
    if (reply.thought) {
        const [now] = drawThought(reply, was);
        if (!was)
            text.before(now);
        else if (reply.thought.length !== was.size) {
            showText(was.querySelector(".text"), reply.thought);
            was.firstElementChild.textContent = now.firstElementChild.textContent;
            was.size = reply.thought.length;
        }
    }
    showText(text, reply.text);
    speak(false);
    drawProgress(item.querySelector(":scope > .work"), work);
    if (down)
        toEnd();
}

/* How many seconds the rest of the prompt takes, at the speed of late; null: not known. */
function timeLeft(work) {
    const first = work.samples[0], last = work.samples[work.samples.length - 1];
    if (work.samples.length < 2 || last.done <= first.done)
        return null;
    const speed = (last.done - first.done) / (last.at - first.at); /* tokens per ms */
    return { speed: speed * 1000,
             s: ((work.all - last.done) / speed - (performance.now() - last.at)) / 1000 };
}

function progressText(work) {
    const since = duration((performance.now() - work.began) / 1000);
    const last = work.samples[work.samples.length - 1], left = timeLeft(work);
    if (work.first)
        return `Generating: ${duration((performance.now() - work.first) / 1000)}`;
    if (!last)
        return `Waiting: ${since}`;
    return `Reading the prompt: ${whole(last.done)} of ${whole(work.all)} tokens` +
           (left ? `, ${rate(left.speed, 1)}, about ${duration(left.s)} left` : `, ${since}`);
}

function drawProgress(box, work) {
    const last = work.samples[work.samples.length - 1];
    let bar = box.querySelector("progress");
    if (last && !work.first && !bar) {
        bar = make("progress", { "aria-label": "Prompt tokens" });
        box.replaceChildren(make("span"), bar);
    }
    if (work.first && bar) {
        box.replaceChildren();
        bar = null;
    }
    if (bar) {
        bar.max = work.all;
        bar.value = last.done;
        box.firstElementChild.textContent = progressText(work);
        announceProgress(work, last);
    } else
        box.textContent = progressText(work);
}

/* Every tenth of a prompt. */
function announceProgress(work, last) {
    const tenth = Math.floor(10 * last.done / work.all);
    if (tenth === work.tenth)
        return;
    work.tenth = tenth;
    announce(`${10 * tenth} % of the prompt is read`);
}
