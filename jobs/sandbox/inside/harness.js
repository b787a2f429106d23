// What stands between a fresh context and the user's code. Everything it needs is taken before that code can change
// it; what the code breaks of the rest it breaks for itself alone. Evaluates to one function, called with a verb.
(function () {
    "use strict";
    const {parse, stringify} = JSON, evaluate = eval, scope = globalThis, text = String, failure = Error;
    const promise = Promise;
    let outcome = "", program = null;
    const ABOVE = 10000; // empty lines before a script, which tell its lines from those of this file

    function describe(error) {
        if (!(error instanceof failure)) return typeof error === "object" ? stringify(error) : text(error);
        const line = program.kind === "script" && /<input>:(1\d{4,})/.exec(error.stack);
        return text(error.name) + ": " + text(error.message) + (line ? " (line " + (line[1] - ABOVE) + ")" : "");
    }
    function fail(error) {
        try { outcome = (program.compiled === false ? "I" : "E") + stringify(describe(error)); }
        catch (_) { outcome = 'E"an error that cannot be described"'; }
    }
    function finish(value) {
        try { const json = stringify(value); outcome = "V" + (json === undefined ? "null" : json); }
        catch (error) { fail(error); }
    }

    // Gives a function that evaluates the source again and again: as an expression if it is one, else as statements,
    // whose last value counts.
    function repeatable(source) {
        try { return evaluate("(() => (" + source + "\n))"); }
        catch (_) { return () => evaluate(program.kind === "each" ? "{" + source + "\n}" : source); }
    }
    function each(source, items) {
        const value = repeatable(source), values = [];
        let pending = false;
        for (let at = 0; at < items.length; at++) {
            scope.item = items[at];
            scope.index = at;
            try { values[at] = value(); }
            catch (error) { throw program.at = at, error; }
            pending = pending || values[at] instanceof promise;
        }
        return pending ? promise.all(values) : values;
    }
    function compiled(source) {
        program.compiled = false;
        const main = evaluate("\n".repeat(ABOVE - 1) + "(async function () {\n" + source + "\n})");
        program.compiled = true;
        return main;
    }
    function run() {
        if (program.kind === "script") return compiled(program.source)();
        return program.kind === "each" ? each(program.source, scope.items) : repeatable(program.source)();
    }

    const verbs = {
        __proto__: null,
        prepare(call) {
            program = parse(call);
            for (const name of program.names) scope[name] = undefined;
            if (install) install();
        },
        start(variables) {
            const values = parse(variables);
            for (const name in values) scope[name] = values[name];
            try {
                const value = run();
                if (value instanceof promise) value.then(finish, fail); else finish(value);
            } catch (error) { fail(error); }
        },
        outcome: () => outcome,
        at: () => program.at ?? -1,
    };
    let install = null;
    /* script.js */
    return (verb, argument) => verbs[verb](argument);
})()
