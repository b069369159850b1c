/* server.js - requests to the server that the page came from. */

class Refusal extends Error {
    constructor(text, status) {
        super(text);
        this.status = status;
    }
}

const server = { model: "", context: 0, ready: false };

function headers() {
    const key = stored("sessionStorage", API_KEY) || apiKey;
    return key ? { "Content-Type": "application/json", Authorization: `Bearer ${key}` }
               : { "Content-Type": "application/json" };
}
let apiKey = ""; /* where the browser keeps nothing */

async function refusalOf(response) {
    const wait = response.headers.get("Retry-After");
    const body = fromJson(await response.text().catch(() => ""), {});
    const told = body.error && typeof body.error.message === "string" ? body.error.message : "";
    const text = {
        401: "The API key is missing or wrong.",
        413: "The message is longer than this server accepts.",
        429: `The server gets too many requests.${wait ? ` Try again in ${wait} s.` : ""}`,
        503: `The server cannot answer now: ${told || "try again later"}.`
    }[response.status];
    return new Refusal(text || told || `The server answers with status ${response.status}.`,
                       response.status);
}

async function call(path, options) {
    let response;
    try {
        response = await fetch(path, { ...options, headers: headers(), cache: "no-store",
                                       credentials: "omit" });
    } catch (e) {
        throw e.name === "AbortError" ? e : new Refusal("The server cannot be reached.", 0);
    }
    if (!response.ok)
        throw await refusalOf(response);
    return response;
}

/* Asks what is served, until it is known. A key is asked for once; then it is the user's turn. */
async function meet() {
    clearTimeout(meet.again);
    try {
        const [model] = (await (await call("v1/models")).json()).data;
        notify("server", "");
        meet.asked = false;
        Object.assign(server, { model: model.id, context: model.max_model_len, ready: true });
    } catch (e) {
        server.ready = false;
        if (e.status === 401) {
            notify("server", "This server asks for an API key: it goes into the settings.");
            if (!meet.asked)
                openSettings("key");
            meet.asked = true;
            return;
        }
        notify("server", e.status === 503 ? "The server is not ready: its model is being loaded, or it stops."
                                          : e.message);
        meet.again = setTimeout(meet, 2000);
    }
    $("model").textContent = server.ready ? server.model : "";
    $("model").title = server.ready ? `${server.model}: context of ${whole(server.context)} tokens` : "";
}

const LOST = "The connection was lost before the answer was complete.";

const fail = (e) => { throw e.name === "AbortError" ? e : new Refusal(LOST, 0); };

async function readLines(reader, event, comment) {
    let rest = "";
    for (;;) {
        const { value, done } = await reader.read().catch(fail);
        if (done)
            return;
        const lines = (rest + value).split(/\r?\n/);
        rest = lines.pop();
        for (const line of lines)
            if (line.startsWith("data:"))
                event(line.slice(5).trim());
            else if (line.startsWith(":"))
                comment(line.slice(1).trim());
    }
}

/* Calls event(data) and comment(text) for what a stream holds. Whatever is wrong with it, the
 * server learns that nobody reads on. */
async function readEvents(response, event, comment) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    try {
        await readLines(reader, event, comment);
    } finally {
        reader.cancel().catch(() => {});
    }
}
