/* answers.js - from a conversation to its next message. */

const working = new Map(); /* by id of a chat: {control, began, first, last, samples, all, usage} */

function documentPart(file) {
    const text = documentText(file);
    if (text === null)
        throw new Refusal(`${file.name} is no longer in this browser: attach it again, or edit ` +
                          "the message without it.", 0);
    return `<document name="${file.name.replace(/["<>]/g, "_")}">\n${text}\n</document>`;
}

function contentOf(message) {
    const parts = (message.files || []).map(documentPart);
    return [...parts, message.text].filter((part) => part !== "").join("\n\n");
}

/* Users' messages one after another, between which an answer failed, become one. */
function requestMessages(chat) {
    const all = [];
    if (chat.settings.system)
        all.push({ role: "system", content: chat.settings.system });
    for (const m of chat.messages.slice(0, -1)) {
        const last = all[all.length - 1], content = m.role === "user" ? contentOf(m) : m.text;
        if (m.role === "assistant" && content === "")
            continue;
        if (last && last.role === "user" && m.role === "user")
            last.content += "\n\n" + content;
        else
            all.push({ role: m.role, content });
    }
    return all;
}

const NUMBERS = ["temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed",
                 "max_tokens"];

function requestOf(chat) {
    const body = { model: server.model, messages: requestMessages(chat), stream: true,
                   stream_options: { include_usage: true } };
    for (const name of NUMBERS)
        if (typeof chat.settings[name] === "number")
            body[name] = chat.settings[name];
    const stops = (chat.settings.stops || "").split("\n").filter((line) => line !== "");
    if (stops.length > 0)
        body.stop = stops;
    if (chat.settings.thinking)
        body.chat_template_kwargs = { enable_thinking: chat.settings.thinking === "on" };
    return body;
}

/* Where the thought ends; -1: nowhere. Where its beginning was part of the prompt, the end stands
 * alone on its line, unless the model was told to think: an answer may speak of "</think>". */
function endOfThought(raw, opened, told) {
    const end = raw.indexOf("</think>"), before = raw[end - 1], after = raw[end + 8];
    const alone = (before === undefined || before === "\n") && (after === undefined || after === "\n");
    return opened || told || alone ? end : -1;
}

function splitThought(reply, told) {
    const { raw, reasoned } = reply, start = raw.length - raw.trimStart().length;
    const opened = raw.startsWith("<think>", start), from = opened ? start + 7 : 0;
    const end = endOfThought(raw, opened, told);
    if (end >= 0) {
        reply.thought = reasoned + raw.slice(from, end).trim();
        reply.text = raw.slice(end + 8).trimStart();
    } else {
        reply.thought = reasoned + (opened ? raw.slice(from).trimStart() : "");
        reply.text = opened ? "" : raw;
    }
}

function readChunk(data) {
    try {
        return JSON.parse(data);
    } catch {
        throw new Refusal("The server sent what is no JSON.", 0);
    }
}

function takeChunk(work, reply, chunk) {
    if (chunk.error)
        throw new Refusal(chunk.error.message || "The server failed.", 500);
    const choice = (chunk.choices || [])[0];
    work.usage = chunk.usage || work.usage;
    if (!choice)
        return;
    const delta = choice.delta || {}, thought = delta.reasoning_content || delta.reasoning || "";
    work.finish = choice.finish_reason || work.finish;
    if (!delta.content && !thought)
        return;
    work.last = performance.now();
    work.first = work.first || work.last;
    reply.reasoned += thought;
    reply.raw += delta.content || "";
    splitThought(reply, work.told);
}

function takeComment(work, text) {
    const found = text.match(/^(\d+) of (\d+) prompt tokens/);
    if (!found)
        return;
    work.all = Number(found[2]);
    if (found[1] !== "0") /* else it waits for others, or for its first chunk */
        work.samples.push({ at: performance.now(), done: Number(found[1]) });
    if (work.samples.length > 16)
        work.samples.shift();
}

async function readAnswer(chat, work, reply) {
    const response = await call("v1/chat/completions", {
        method: "POST", body: JSON.stringify(requestOf(chat)), signal: work.control.signal });
    let complete = false;
    await readEvents(response, (data) => {
        if (data === "[DONE]")
            complete = true;
        else
            takeChunk(work, reply, readChunk(data));
        changed(chat);
    }, (text) => {
        takeComment(work, text);
        changed(chat);
    });
    if (!complete)
        throw new Refusal(LOST, 0);
}

function failureOf(e) {
    if (e instanceof Refusal)
        return e.message;
    console.error(e);
    return `This page has failed: ${e.message}`;
}

function statsOf(work) {
    const u = work.usage;
    return { finish: work.finish, prompt: u && u.prompt_tokens, answer: u && u.completion_tokens,
             promptMs: work.first && work.first - work.began,
             answerMs: work.first && work.last - work.first };
}

/* Answers the last message. */
async function answer(chat) {
    const reply = { role: "assistant", text: "", thought: "", state: "waiting", raw: "", reasoned: "" };
    const work = { control: new AbortController(), began: performance.now(), samples: [], all: 0,
                   told: chat.settings.thinking === "on" };
    chat.messages.push(reply);
    chat.updated = Date.now();
    working.set(chat.id, work);
    keepChat(chat);
    draw();
    announce("Waiting for the answer");
    try {
        await readAnswer(chat, work, reply);
        reply.state = "done";
    } catch (e) {
        reply.state = work.control.signal.aborted ? "stopped" : "failed";
        if (reply.state === "failed") {
            reply.failure = failureOf(e);
            if (e.status === 401 && chat === current)
                openSettings("key");
        }
    }
    reply.stats = statsOf(work);
    delete reply.raw;
    delete reply.reasoned;
    working.delete(chat.id);
    endAnswer(chat, reply);
}

function endAnswer(chat, reply) {
    if (chats.has(chat.id))
        keepChat(chat);
    if (chat !== current) {
        drawList();
        return;
    }
    announce(reply.state === "done" ? "The answer is complete"
             : reply.state === "stopped" ? "The answer was stopped" : reply.failure);
    const focused = document.activeElement === $("stop");
    draw();
    speak(true);
    if (focused)
        $("prompt").focus();
}

function stop(chat) {
    const work = working.get(chat.id);
    if (work)
        work.control.abort();
}
