/* start.js - settings, keys, buttons, and the start. */

/* ---- Settings ---- */

function fieldsOf() {
    return [...$("settings").querySelectorAll("[data-set]")];
}

function openSettings(focus) {
    for (const field of fieldsOf()) {
        const value = current.settings[field.dataset.set];
        field.value = value === undefined ? "" : value;
    }
    $("theme").value = theme;
    $("key").value = stored("sessionStorage", API_KEY) || apiKey;
    if (!$("settings").open)
        $("settings").showModal();
    $(focus).focus();
}

/* What is not valid stays as it was. */
function takeSettings() {
    for (const field of fieldsOf()) {
        const name = field.dataset.set;
        if (field.value === "" && field.validity.valid)
            delete current.settings[name];
        else if (field.validity.valid)
            current.settings[name] = field.type === "number" ? Number(field.value) : field.value;
    }
    keepChat(current);
}

function closeSettings() {
    const key = $("key").value.trim(), before = stored("sessionStorage", API_KEY) || apiKey;
    takeSettings();
    apiKey = key;
    keep("sessionStorage", API_KEY, key);
    if (key !== before)
        meet.asked = false;
    if (key !== before || !server.ready)
        meet();
    $("prompt").focus();
}

let theme = ""; /* that the user has chosen; "": the system's */

function setTheme() {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = theme || (dark ? "dark" : "light");
}

function readTheme() {
    theme = stored("localStorage", THEME) || "";
    setTheme();
}

/* ---- Keys, and the start ---- */

const isSendKey = (e) => e.key === "Enter" && !e.shiftKey && !e.isComposing &&
                         !matchMedia("(pointer: coarse)").matches;

function grow(box) {
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight + 2}px`;
}

function showSide(open) {
    $("side").classList.toggle("open", open);
    document.querySelector("main").inert = open;
    $("side-open").setAttribute("aria-expanded", String(open));
}

function watchKeys() {
    $("prompt").onkeydown = (e) => {
        if (isSendKey(e)) {
            e.preventDefault();
            send();
        }
    };
    $("prompt").oninput = () => grow($("prompt"));
    addEventListener("keydown", (e) => {
        if (e.key !== "Escape" || document.querySelector("dialog[open]"))
            return;
        if ($("side").classList.contains("open")) {
            showSide(false);
            $("side-open").focus();
        } else
            stop(current);
    });
}

function watchButtons() {
    $("composer").onsubmit = (e) => {
        e.preventDefault();
        send();
    };
    $("stop").onclick = () => stop(current);
    $("new").onclick = () => open(blankChat());
    $("attach").onclick = () => $("file").click();
    $("file").onchange = () => {
        attach([...$("file").files]);
        $("file").value = "";
    };
    $("side-open").onclick = () => {
        showSide(true);
        $("side-close").focus();
    };
    addEventListener("pointerdown", (e) => {
        if ($("side").classList.contains("open") && !$("side").contains(e.target))
            showSide(false);
    });
    $("side-close").onclick = () => {
        showSide(false);
        $("side-open").focus();
    };
    $("settings-open").onclick = () => openSettings("system");
    $("settings").onclose = closeSettings;
    $("settings-preset").onclick = () => {
        takeSettings();
        const kept = keep("localStorage", PRESET, JSON.stringify(current.settings));
        flash($("settings-preset"), kept ? "New conversations begin with these settings"
                                         : "The browser does not keep them");
    };
    $("theme").onchange = () => {
        theme = $("theme").value;
        keep("localStorage", THEME, theme);
        setTheme();
    };
    $("delete-all").onclick = removeAll;
}

/* Another page has changed what is kept. */
function takeChange(e) {
    if (e.key === THEME)
        readTheme();
    if (!e.key || !e.key.startsWith(CHAT))
        return;
    const id = e.key.slice(CHAT.length), chat = readChat(id, e.newValue);
    if (working.has(id))
        return;
    if (chat !== null)
        chats.set(id, chat);
    else if (e.newValue === null) {
        chats.delete(id);
        unkept.delete(id);
        showUnkept();
    }
    if (id === current.id && chat !== null)
        showChange(chat);
    else
        drawList();
}

function keepWork() {
    for (const id of working.keys())
        if (chats.has(id))
            keepChat(chats.get(id));
}

/* Other pages need not wait for what this one does not finish. */
function endWork() {
    for (const id of working.keys())
        if (chats.has(id)) {
            closeAnswer(chats.get(id));
            keepChat(chats.get(id));
        }
}

function start() {
    readTheme();
    readChats();
    const newest = [...chats.values()].sort((a, b) => b.updated - a.updated)[0];
    current = newest || current;
    watchKeys();
    watchButtons();
    watchDrops();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", setTheme);
    addEventListener("storage", takeChange);
    addEventListener("pagehide", endWork);
    setInterval(keepWork, 2000);
    setInterval(() => changed(current), 1000);
    draw();
    toEnd();
    meet();
    $("prompt").focus();
}

start();
