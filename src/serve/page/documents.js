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

async function attach(files) {
    const wrong = [], chat = current;
    reading++;
    for (const file of files)
        try {
            const read = await readDocument(file);
            if (chat === current)
                attached = [...attached, read];
        } catch (e) {
            wrong.push(e.message);
        }
    reading--;
    notify(wrong.join(" "));
    drawFiles();
    if (attached.length > 0)
        announce(`Attached: ${attached.map((f) => f.name).join(", ")}`);
    $("prompt").focus();
}

function drawFiles() {
    $("files").className = "chips";
    $("files").replaceChildren(...attached.map((file) => chip(file, () => {
        attached = attached.filter((f) => f !== file);
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
