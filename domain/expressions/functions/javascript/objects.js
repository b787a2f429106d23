function merged(value, other) {
    for (const name of Object.keys(other)) {
        const ours = has(value, name) ? value[name] : null, theirs = other[name];
        put(value, name, isObject(ours) && isObject(theirs) ? merged(ours, theirs) : theirs);
    }
    return value;
}

function objectOf(pairs) {
    const object = {};
    for (const [name, member] of pairs) put(object, name, member);
    return object;
}

declare("json", {
    parse(value) {
        let parsed;
        try {
            parsed = JSON.parse(value);
        } catch (_) {
            throw new OutOfRange("the text is no JSON");
        }
        return plain(parsed);
    },
    stringify(value, indent = 0) {
        if (indent < 0 || indent > 10) throw new OutOfRange("indent is not between 0 and 10");
        const text = JSON.stringify(value, null, indent);
        if (text.length > MAX_TEXT) throw tooLong();
        return text;
    },
    get(value, path, fallback = null) {
        const there = found(value, path);
        return there === null ? fallback : there;
    },
    keys: Object.keys,
    values: Object.values,
    entries: Object.entries,
    fromEntries(pairs) {
        if (!pairs.every(pair => Array.isArray(pair) && pair.length === 2)) throw new OutOfRange("an element is no pair");
        return objectOf(pairs.map(([name, member]) => [asText(name), member]));
    },
    pick: (value, names) => objectOf(names.map(asText).filter(name => has(value, name)).map(name => [name, value[name]])),
    omit(value, names) {
        const unwanted = new Set(names.map(asText));
        return objectOf(Object.entries(value).filter(([name]) => !unwanted.has(name)));
    },
    rename: (value, names) => objectOf(
        Object.entries(value).map(([name, member]) => [asText(has(names, name) ? names[name] : name), member])),
    compact: value => objectOf(Object.entries(value).filter(([, member]) => member !== null)),
    merge: merged,
    equals: (value, other) => identity(value) === identity(other),
});
