/* store.js - what the browser keeps. */

/* A chat is {id, title, named, updated, settings, messages}. A message is {role: "user", text,
 * files: [{id, name, size}]} or {role: "assistant", text, thought, state, failure, stats}; states
 * are "waiting", "done", "stopped" and "failed". */
const CHAT = "ithaca.chat.", DOCUMENT = "ithaca.document.", PRESET = "ithaca.preset";
const THEME = "ithaca.theme", API_KEY = "ithaca.key";
const STATES = ["waiting", "done", "stopped", "failed"];
const chats = new Map();
const documents = new Map(); /* texts that the browser does not keep, or not yet */
const drafts = new Map();
const unkept = new Set();   /* ids of chats that do not fit, or have a document that does not */
const tooLarge = new Set(); /* ids of documents that do not fit */

function stored(store, key) {
    try {
        return window[store].getItem(key);
    } catch {
        return null; /* the browser keeps nothing for this page */
    }
}

/* False: there is no room, or the browser keeps nothing. value "": forgets it. */
function keep(store, key, value) {
    try {
        if (value === "")
            window[store].removeItem(key);
        else
            window[store].setItem(key, value);
        return true;
    } catch {
        return false;
    }
}

function fromJson(text, otherwise) {
    try {
        return JSON.parse(text) || otherwise;
    } catch {
        return otherwise;
    }
}

/* ---- Documents ---- */

/* null: the browser does not have it any more. */
function documentText(file) {
    const text = documents.get(file.id);
    return text === undefined ? stored("localStorage", DOCUMENT + file.id) : text;
}

const hasDocument = (file) => documentText(file) !== null;

/* False: it does not fit. */
function keepDocument(file) {
    const text = documents.get(file.id);
    if (text === undefined)
        return true; /* it is kept, or lost */
    if (!tooLarge.has(file.id) && !keep("localStorage", DOCUMENT + file.id, text))
        tooLarge.add(file.id);
    return !tooLarge.has(file.id);
}

/* The chat comes first: another page forgets documents that no chat has. */
function keepChat(chat) {
    const files = chat.messages.flatMap((m) => m.files || []);
    if (chat.messages.length === 0 && !chat.named)
        return;
    chats.set(chat.id, chat);
    const fits = keep("localStorage", CHAT + chat.id, JSON.stringify(chat));
    if (files.map(keepDocument).every(Boolean) && fits) {
        files.forEach((file) => documents.delete(file.id));
        unkept.delete(chat.id);
    } else
        unkept.add(chat.id);
    showUnkept();
}

function showUnkept() {
    const titles = [...unkept].map((id) => `\u201c${chats.get(id).title}\u201d`).join(", ");
    notify("kept", titles && `${titles}: larger than what the browser can keep. What does not fit ` +
                             "is lost when this page is closed: export it, or delete others.");
}

/* All that a chat, a draft or the message being written has; null: not all chats can be read. */
function usedDocuments() {
    const kept = keysOf(CHAT).map((key) => storedChat(key.slice(CHAT.length)));
    if (kept.includes(null))
        return null;
    const files = [...chats.values(), ...kept].flatMap((chat) => chat.messages)
                                              .flatMap((m) => m.files || []);
    const drafted = [...drafts.values()].flatMap((draft) => draft.files);
    return new Set([...files, ...drafted, ...attached].map((file) => file.id));
}

function forgetDocuments() {
    const used = usedDocuments();
    if (used === null)
        return;
    for (const key of keysOf(DOCUMENT))
        if (!used.has(key.slice(DOCUMENT.length)))
            keep("localStorage", key, "");
    for (const id of documents.keys())
        if (!used.has(id))
            documents.delete(id);
}

/* ---- Chats ---- */

const isText = (t) => typeof t === "string";
const isNumber = (n) => typeof n === "number";
const isObject = (o) => o !== null && typeof o === "object" && !Array.isArray(o);
const isFile = (f) => isObject(f) && isText(f.id) && isText(f.name) && isNumber(f.size);

function isMessage(m) {
    if (!isObject(m) || !isText(m.text))
        return false;
    return m.role === "user" ? Array.isArray(m.files) && m.files.every(isFile)
                             : m.role === "assistant" && isText(m.thought) &&
                               STATES.includes(m.state) && isText(m.failure || "") &&
                               isObject(m.stats || {});
}

const isSettings = (s) => isObject(s) && Object.values(s).every((v) => isText(v) || isNumber(v)) &&
                          ["system", "stops", "thinking"].every((name) => isText(s[name] || ""));

function isChat(t) {
    return isObject(t) && isText(t.id) && isText(t.title) && isNumber(t.updated) &&
           isSettings(t.settings) && Array.isArray(t.messages) && t.messages.every(isMessage);
}

/* The chat of this id in a text; null: the text has another, or none. */
function readChat(id, text) {
    const chat = fromJson(text, null);
    return isChat(chat) && chat.id === id ? chat : null;
}

const storedChat = (id) => readChat(id, stored("localStorage", CHAT + id));

/* As another page may have changed it. */
const latest = (chat) =>
    (!working.has(chat.id) && !unkept.has(chat.id) && storedChat(chat.id)) || chat;

/* Is another page at its answer? */
function isElsewhere(chat) {
    const last = chat.messages[chat.messages.length - 1];
    return last !== undefined && last.state === "waiting" && !working.has(chat.id);
}

function closeAnswer(chat) {
    Object.assign(chat.messages[chat.messages.length - 1],
                  { state: "failed", failure: "The page was closed before the answer was complete." });
}

function keysOf(prefix) {
    try {
        return Object.keys(localStorage).filter((key) => key.startsWith(prefix));
    } catch {
        return [];
    }
}

function readChats() {
    let bad = 0;
    for (const key of keysOf(CHAT)) {
        const chat = storedChat(key.slice(CHAT.length));
        if (chat === null) {
            bad++;
            continue;
        }
        if (isElsewhere(chat))
            closeAnswer(chat); /* unless that page is there still, and says so */
        chats.set(chat.id, chat);
    }
    forgetDocuments();
    if (bad > 0)
        notify("bad", `${bad} of the conversations that the browser keeps cannot be read, and ` +
                      "are not shown. \u201cDelete all conversations\u201d in the settings " +
                      "removes them.");
}

function forgetAll() {
    [...chats.values()].forEach(forget);
    for (const key of [...keysOf(CHAT), ...keysOf(DOCUMENT)])
        keep("localStorage", key, "");
    notify("bad", "");
}

/* Where there was no room, there may be some now. */
function forget(chat) {
    stop(chat);
    chats.delete(chat.id);
    drafts.delete(chat.id);
    unkept.delete(chat.id);
    keep("localStorage", CHAT + chat.id, "");
    forgetDocuments();
    tooLarge.clear();
    showUnkept();
    [...unkept].forEach((id) => keepChat(chats.get(id)));
}

function newId() {
    return [...crypto.getRandomValues(new Uint32Array(3))].map((n) => n.toString(36)).join("");
}

function newChat() {
    const preset = fromJson(stored("localStorage", PRESET), {});
    return { id: newId(), title: "New conversation", named: false, updated: Date.now(),
             settings: isSettings(preset) ? { ...preset } : {}, messages: [] };
}
