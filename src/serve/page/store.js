/* store.js - what the browser keeps. */

/* A chat is {id, title, named, updated, settings, messages}. A message is {role: "user", text,
 * files: [{id, name, size}]} or {role: "assistant", text, thought, state, failure, stats}; states
 * are "waiting", "done", "stopped" and "failed". */
const CHAT = "ithaca.chat.", DOCUMENT = "ithaca.document.", PRESET = "ithaca.preset";
const THEME = "ithaca.theme", API_KEY = "ithaca.key";
const chats = new Map();
const documents = new Map();
const drafts = new Map();

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

function keepChat(chat) {
    let fits = true;
    if (chat.messages.length === 0 && !chat.named)
        return;
    for (const file of chat.messages.flatMap((m) => m.files || []))
        if (stored("localStorage", DOCUMENT + file.id) === null)
            fits = keep("localStorage", DOCUMENT + file.id, documentText(file)) && fits;
    fits = keep("localStorage", CHAT + chat.id, JSON.stringify(chat)) && fits;
    chats.set(chat.id, chat);
    if (!fits)
        notify("This conversation is larger than what the browser can keep: it will be lost when " +
               "this page is closed. Export it, or delete others.");
}

function documentText(file) {
    if (!documents.has(file.id))
        documents.set(file.id, stored("localStorage", DOCUMENT + file.id) || "");
    return documents.get(file.id);
}

function isChat(t) {
    return t !== null && typeof t === "object" && typeof t.id === "string" &&
           Array.isArray(t.messages) && typeof t.settings === "object";
}

function readChat(text) {
    const chat = fromJson(text, null);
    return isChat(chat) ? chat : null;
}

/* What another page was at when it ended. */
function endOpen(chat) {
    const last = chat.messages[chat.messages.length - 1];
    if (last && last.role === "assistant" && last.state === "waiting") {
        last.state = "failed";
        last.failure = "The page was closed before the answer was complete.";
        delete last.raw;
        delete last.reasoned;
    }
}

function keysOf(prefix) {
    try {
        return Object.keys(localStorage).filter((key) => key.startsWith(prefix));
    } catch {
        return [];
    }
}

function readChats() {
    for (const key of keysOf(CHAT)) {
        const chat = readChat(stored("localStorage", key));
        if (chat === null)
            continue;
        endOpen(chat);
        chats.set(chat.id, chat);
    }
    forgetDocuments();
}

/* Those of no message. */
function forgetDocuments() {
    const used = new Set([...chats.values()].flatMap((chat) => chat.messages)
                                            .flatMap((m) => m.files || []).map((f) => f.id));
    for (const key of keysOf(DOCUMENT))
        if (!used.has(key.slice(DOCUMENT.length)))
            keep("localStorage", key, "");
}

function newId() {
    return [...crypto.getRandomValues(new Uint32Array(3))].map((n) => n.toString(36)).join("");
}

function newChat() {
    return { id: newId(), title: "New conversation", named: false, updated: Date.now(),
             settings: { ...fromJson(stored("localStorage", PRESET), {}) }, messages: [] };
}
