function unique(items, key = same) {
    const kept = new Map();
    items.forEach((item, at) => {
        const known = identity(key(item, at, items));
        if (!kept.has(known)) kept.set(known, item);
    });
    return [...kept.values()];
}

function tally(items, key, add) {
    const result = {};
    items.forEach((item, at) => {
        const name = asText(key(item, at, items));
        put(result, name, add(has(result, name) ? result[name] : undefined, item));
    });
    return result;
}

function rank(value) {
    return value === null ? 4 : ["boolean", "number", "string", "object"].indexOf(typeof value);
}

function order(one, other) {
    const difference = rank(one) - rank(other);
    if (difference || rank(one) > 2) return difference;
    return one < other ? -1 : one > other ? 1 : 0;
}

const indexOf = (items, value) => {
    const wanted = identity(value);
    return items.findIndex(item => identity(item) === wanted);
};
const member = others => {
    const known = new Set(others.map(identity));
    return item => known.has(identity(item));
};

declare("list", {
    first: items => items.length ? items[0] : null,
    last: items => items.length ? items[items.length - 1] : null,
    slice: (items, start, end) => items.slice(start, end),
    contains: (items, value) => indexOf(items, value) >= 0,
    indexOf,
    join(items, separator = ",") {
        const parts = items.map(item => item === null ? "" : asText(item));
        const size = text => Array.from(text).length;
        const total = parts.reduce((sum, part) => sum + size(part), 0);
        if (total + size(separator) * Math.max(parts.length - 1, 0) > MAX_TEXT) throw tooLong();
        return parts.join(separator);
    },
    reverse: items => items.reverse(),
    concat: (items, others) => [...items, ...others],
    flatten: (items, depth = 1) => items.flat(Math.max(Math.min(depth, MAX_DEPTH), 0)),
    compact: items => items.filter(item => item !== null),
    map: (items, key) => items.map(key),
    where(items, key, value) {
        const wanted = identity(value);
        return items.filter((item, at) => identity(key(item, at, items)) === wanted);
    },
    unique,
    union: (items, others) => unique([...items, ...others]),
    intersection: (items, others) => unique(items.filter(member(others))),
    difference(items, others) {
        const known = member(others);
        return items.filter(item => !known(item));
    },
    sortBy(items, key = same, direction = "asc") {
        const sign = direction === "desc" ? -1 : 1;
        const ranked = items.map((item, at) => [key(item, at, items), item]);
        const some = ranked.filter(([value]) => value !== null).sort(([one], [other]) => sign * order(one, other));
        return [...some, ...ranked.filter(([value]) => value === null)].map(([, item]) => item);
    },
    groupBy: (items, key) => tally(items, key, (group = [], item) => (group.push(item), group)),
    countBy: (items, key) => tally(items, key, (count = 0) => count + 1),
    keyBy: (items, key) => tally(items, key, (_, item) => item),
    chunk(items, size) {
        if (size < 1) throw new OutOfRange("size is less than 1");
        const chunks = [];
        for (let at = 0; at < items.length; at += size) chunks.push(items.slice(at, at + size));
        return chunks;
    },
    zip(items, others) {
        const length = Math.max(items.length, others.length);
        const at = (values, index) => index < values.length ? values[index] : null;
        return Array.from({length}, (_, index) => [at(items, index), at(others, index)]);
    },
    range(start, end, step = 1) {
        if (step === 0) throw new OutOfRange("step is 0");
        const made = [];
        for (let number = start; (end - number) * step > 0; number = start + made.length * step) {
            if (made.length === 10000) throw new OutOfRange("it has more than 10,000 elements");
            made.push(Number.isFinite(number) ? number || 0 : null);
        }
        return made;
    },
});
