// What only scripts have: a console, fetch and require. Stands inside harness.js, whose names it uses.
const {defineProperty, entries, fromEntries} = Object;
let lines = [], requests = [], asked = 0;
const waiting = {__proto__: null};

// An error of ours: it has no line in the user's code.
function refusal(message) {
    const error = new failure(message);
    error.stack = "";
    return error;
}

function shown(value) {
    if (typeof value === "string") return value;
    if (value instanceof failure) return text(value.name) + ": " + text(value.message);
    if (typeof value !== "object" || value === null) return text(value);
    try { return stringify(value); } catch (_) { return "[an object that is no JSON]"; }
}
const writer = level => (...values) => { lines[lines.length] = [level, values.map(shown).join(" ")]; };

function response({url, status, headers, body}) {
    const known = new Map(entries(headers));
    const lower = name => text(name).toLowerCase();
    const get = name => known.has(lower(name)) ? known.get(lower(name)) : null;
    return {
        url, status, ok: status >= 200 && status < 300,
        headers: {...headers, get, has: name => known.has(lower(name)), entries: () => known.entries()},
        text: async () => body,
        json: async () => parse(body),
    };
}
function fetch(url, {method = "GET", headers = {}, body = null} = {}) {
    return new promise((resolve, reject) => {
        if (asked >= program.requests) throw refusal("no more than " + program.requests + " requests are allowed");
        const named = fromEntries(entries(headers).map(([name, value]) => [name, text(value)]));
        const sent = body === null || typeof body === "string" ? body : stringify(body);
        requests[requests.length] = {id: ++asked, url: text(url), method: text(method), headers: named, body: sent,
            json: sent !== body};
        waiting[asked] = {resolve, reject};
    });
}
function settle(replies) {
    for (const {id, error, ...reply} of replies) {
        const {resolve, reject} = waiting[id];
        delete waiting[id];
        if (error === undefined) { resolve(response(reply)); continue; }
        const refused = refusal(error);
        refused.name = "FetchError";
        reject(refused);
    }
}
function required(families) {
    const modules = fromEntries(families.map(name => [name, scope[name]]));
    return name => {
        if (families.includes(name)) return modules[name];
        throw refusal("there is no module " + stringify(name) + " here" + (families.length ? ", only: " + families.join(", ") : ""));
    };
}

install = () => {
    const own = {
        fetch, require: required(program.families),
        console: {debug: writer("DEBUG"), log: writer("INFO"), info: writer("INFO"),
            warn: writer("WARNING"), error: writer("ERROR")},
    };
    for (const name in own) {
        defineProperty(scope, name, {value: own[name], configurable: true, enumerable: false, writable: true});
    }
};
verbs.lines = () => { const taken = lines; lines = []; return stringify(taken); };
verbs.requests = () => { const taken = requests; requests = []; return stringify(taken); };
verbs.settle = replies => settle(parse(replies));
