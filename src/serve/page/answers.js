/* answers.js - from a conversation to its next message. */

const working = new Map(); /* by id of a chat: {control, began, first, last, samples, all, usage} */

function contentOf(message) {
    const parts = (message.files || []).map((file) =>
        `<document name="${file.name.replace(/["<>]/g, "_")}">\n${documentText(file)}\n</document>`);
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

/* Text before "</think>" is thought, whether its beginning was part of the prompt or not. */
function splitThought(reply) {
    const [, , inside] = reply.raw.match(/^(\s*<think>)([^]*)$/) || [];
    const text = inside === undefined ? reply.raw : inside, end = text.indexOf("</think>");
    if (end >= 0) {
        reply.thought = reply.reasoned + text.slice(0, end).trim();
        reply.text = text.slice(end + 8).trimStart();
    } else {
        reply.thought = reply.reasoned + (inside === undefined ? "" : text.trimStart());
        reply.text = inside === undefined ? reply.raw : "";
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
    splitThought(reply);
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
            takeChunk(work, reply, JSON.parse(data));
        changed(chat);
    }, (text) => {
        takeComment(work, text);
        changed(chat);
    });
    if (!complete)
        throw new Refusal("The connection was lost before the answer was complete.", 0);
}

function failureOf(e) {
    if (e instanceof Refusal)
        return e.message;
    return e instanceof SyntaxError ? "The server sent what is no JSON."
                                    : "The connection was lost before the answer was complete.";
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
    const work = { control: new AbortController(), began: performance.now(), samples: [], all: 0 };
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
