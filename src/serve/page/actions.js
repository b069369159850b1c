/* actions.js - what a user does to conversations and messages. */

function open(chat) {
    if (chats.has(current.id) || current === blank)
        drafts.set(current.id, { text: $("prompt").value, files: attached });
    const draft = drafts.get(chat.id) || { text: "", files: [] };
    drafts.delete(chat.id);
    current = chat;
    speak.said = 0;
    $("spoken").replaceChildren();
    $("prompt").value = draft.text;
    attached = draft.files;
    drawFiles();
    draw();
    toEnd();
    showSide(false);
    $("prompt").focus();
}

/* The conversation without messages: there is one, as long as something is written there. */
function blankChat() {
    const draft = drafts.get(blank.id) || { text: "", files: [] };
    const isBlank = blank.messages.length === 0 && !blank.named;
    const isUsed = blank === current || draft.text !== "" || draft.files.length > 0;
    if (!isBlank || !isUsed)
        blank = newChat();
    return blank;
}

function titleOf(message) {
    const line = message.text.trim().split("\n")[0] || message.files.map((f) => f.name).join(", ");
    return line.length > 60 ? line.slice(0, 59) + "\u2026" : line;
}

/* A message in place of message i and all after it. */
function sendAt(i, text, files) {
    const message = { role: "user", text, files };
    current.messages.splice(i, current.messages.length, message);
    if (i === 0 && !current.named)
        current.title = titleOf(message);
    chats.set(current.id, current);
    toEnd();
    answer(current);
}

function send() {
    const text = $("prompt").value, files = attached;
    if (working.has(current.id) || (text.trim() === "" && files.length === 0 && reading === 0))
        return;
    notify("send", isElsewhere(current) ? "Another tab is at an answer to this conversation."
                   : reading > 0 ? "A document is still being read: send again in a moment." : "");
    if (notices.get("send"))
        return;
    notify("files", "");
    $("prompt").value = "";
    attached = [];
    drawFiles();
    grow($("prompt"));
    sendAt(current.messages.length, text.trim() === "" ? "" : text, files);
}

function regenerate() {
    if (working.has(current.id) || isElsewhere(current))
        return;
    current.messages.pop();
    answer(current);
    $("prompt").focus();
}

function edit(i) {
    const message = current.messages[i], item = $("messages").children[i];
    let files = message.files;
    const box = make("textarea", { value: message.text, "aria-label": "Message" });
    const chips = make("ul", { className: "chips", "aria-label": "Documents" });
    const leave = () => {
        draw();
        $("messages").children[i].querySelector(".edit").focus();
    };
    const show = () => chips.replaceChildren(...files.map((file) => chip(file, () => {
        files = files.filter((f) => f !== file);
        show();
        box.focus();
    })));
    const submit = () => {
        if ((box.value.trim() === "" && files.length === 0) || isElsewhere(current))
            return;
        sendAt(i, box.value, files);
        forgetDocuments();
        $("prompt").focus();
    };
    const form = make("form", { "aria-label": "Edit message" }, chips, box,
        make("div", { className: "row end" },
             make("span", { className: "note" }, i < current.messages.length - 2 ? "What follows is replaced." : ""),
             button("Cancel", "", leave), make("button", { type: "submit", className: "main" }, "Send")));
    form.onsubmit = (e) => {
        e.preventDefault();
        submit();
    };
    box.onkeydown = (e) => {
        if (e.key === "Escape") {
            e.stopPropagation();
            leave();
        } else if (isSendKey(e)) {
            e.preventDefault();
            submit();
        }
    };
    box.oninput = () => grow(box);
    show();
    item.replaceChildren(item.firstElementChild, form);
    grow(box);
    box.focus();
}

/* Asks; a text, or "" for yes without one; null: no. */
function ask(title, yes, text) {
    const dialog = $("ask");
    $("ask-title").textContent = title;
    $("ask-yes").textContent = yes;
    $("ask-text").hidden = text === undefined;
    $("ask-text").value = text || "";
    dialog.returnValue = "";
    dialog.showModal();
    $("ask-no").onclick = () => dialog.close();
    (text === undefined ? $("ask-no") : $("ask-text")).focus();
    $("ask-text").select();
    return new Promise((resolve) => {
        dialog.onclose = () => resolve(dialog.returnValue === "yes" ? $("ask-text").value : null);
    });
}

async function rename(chat) {
    const title = await ask("Name of the conversation", "Rename", chat.title);
    if (title === null || title.trim() === "")
        return;
    const now = latest(chats.get(chat.id) || chat);
    now.title = title.trim();
    now.named = true;
    keepChat(now);
    if (now.id === current.id) {
        showChange(now);
        $("title").textContent = now.title;
    } else
        drawList();
}

async function remove(chat) {
    if (await ask(`Delete \u201c${chat.title}\u201d?`, "Delete") === null)
        return;
    forget(chat);
    open(blankChat());
}

async function removeAll() {
    $("settings").close();
    if (await ask("Delete all conversations?", "Delete all") === null)
        return;
    forgetAll();
    open(blankChat());
}

function markdownOf(chat) {
    const parts = [`# ${chat.title}`];
    if (chat.settings.system)
        parts.push("## System", chat.settings.system);
    for (const m of chat.messages) {
        parts.push(m.role === "user" ? "## You" : "## Assistant");
        parts.push(...(m.files || []).map((f) => `Document: ${f.name}, ${whole(f.size)} bytes`));
        parts.push(m.text);
    }
    return parts.join("\n\n") + "\n";
}

function download(chat) {
    const blob = new Blob([markdownOf(chat)], { type: "text/markdown" });
    const href = URL.createObjectURL(blob);
    const name = chat.title.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "") || "conversation";
    make("a", { href, download: `${name}.md` }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60000);
}

async function copyText(text, from) {
    try {
        await navigator.clipboard.writeText(text);
    } catch {
        copyBySelection(text); /* without TLS from another machine there is no clipboard */
    }
    flash(from, "Copied");
}

/* A button says for a moment what it has done. */
function flash(from, text) {
    from.dataset.label = from.dataset.label || from.textContent;
    from.textContent = text;
    announce(text);
    setTimeout(() => { from.textContent = from.dataset.label; }, 1500);
}

function copyBySelection(text) {
    const box = make("textarea", { value: text, className: "hidden" });
    const focused = document.activeElement;
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
    focused.focus();
}
