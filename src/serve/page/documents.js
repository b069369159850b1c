/* documents.js - text files that become a part of a message. */

const LARGEST = 64 << 20;
let attached = []; /* of the message that is being written */
let reading = 0;

function decode(bytes) {
    const utf16 = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le"
                  : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : null;
    const text = new TextDecoder(utf16 || "utf-8", { fatal: true }).decode(bytes);
    if (text.includes("\0"))
        throw new TypeError("a NUL");
    return text;
}

async function readDocument(file) {
    if (file.size > LARGEST)
        throw new Refusal(`${file.name} is larger than 64 MiB.`);
    let text;
    try {
        text = decode(new Uint8Array(await file.arrayBuffer()));
    } catch {
        throw new Refusal(/\.(pdf|docx?|odt|epub)$/i.test(file.name)
                              ? `${file.name} is no text file: convert it to text first.`
                              : `${file.name} is no text file in UTF-8 or UTF-16.`);
    }
    if (text.trim() === "")
        throw new Refusal(`${file.name} is empty.`);
    const id = newId();
    documents.set(id, text);
    return { id, name: file.name, size: file.size };
}

/* A document of a message that the browser has lost: the same file, as far as can be seen. */
function isLost(chat, file) {
    return chat.messages.flatMap((m) => m.files || []).find((f) =>
        f.name === file.name && f.size === file.size && !hasDocument(f));
}

/* The file becomes a part of the message that is being written in this chat; or it is again what a
 * message had lost. */
function attachTo(id, file) {
    const chat = id === current.id ? current : chats.get(id), lost = chat && isLost(chat, file);
    if (lost) {
        documents.set(lost.id, documents.get(file.id));
        documents.delete(file.id);
        keepChat(chat);
        announce(`${file.name} is there again`);
    } else if (id === current.id)
        attached = [...attached, file];
    else if (drafts.has(id))
        drafts.get(id).files.push(file);
    else
        documents.delete(file.id); /* the chat is deleted */
}

async function attach(files) {
    const wrong = [], id = current.id;
    reading++;
    for (const file of files)
        try {
            attachTo(id, await readDocument(file));
        } catch (e) {
            wrong.push(e instanceof Refusal ? e.message : `This page has failed: ${e.message}`);
        }
    if (--reading === 0)
        notify("send", "");
    notify("files", wrong.join(" "));
    drawFiles();
    if (!isEditing())
        draw(); /* a message may have what it had lost */
    if (attached.length > 0)
        announce(`Attached: ${attached.map((f) => f.name).join(", ")}`);
    $("prompt").focus();
}

function drawFiles() {
    $("files").className = "chips";
    $("files").replaceChildren(...attached.map((file) => chip(file, () => {
        attached = attached.filter((f) => f !== file);
        documents.delete(file.id);
        drawFiles();
        $("prompt").focus();
    })));
}

function watchDrops() {
    const has = (e) => e.dataTransfer && [...e.dataTransfer.types].includes("Files");
    let inside = 0;
    const show = (n) => {
        inside = n;
        $("drop").hidden = n <= 0;
    };
    addEventListener("dragenter", (e) => has(e) && show(inside + 1));
    addEventListener("dragleave", (e) => has(e) && show(inside - 1));
    addEventListener("dragover", (e) => has(e) && e.preventDefault());
    addEventListener("drop", (e) => {
        if (!has(e))
            return;
        e.preventDefault();
        show(0);
        if (!document.querySelector("dialog[open]"))
            attach([...e.dataTransfer.files]);
    });
    $("prompt").addEventListener("paste", (e) => {
        if (e.clipboardData.files.length > 0) {
            e.preventDefault();
            attach([...e.clipboardData.files]);
        }
    });
}
