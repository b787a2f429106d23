const characters = text => Array.from(text);

function filling(value, length, fill) {
    const missing = length - characters(value).length;
    if (missing <= 0 || fill === "") return "";
    if (length > MAX_TEXT) throw tooLong();
    const units = characters(fill);
    return characters(fill.repeat(Math.floor(missing / units.length) + 1)).slice(0, missing).join("");
}

function occurrences(value, find) {
    if (find === "") throw new OutOfRange("there is nothing to find");
    return value.split(find);
}

declare("text", {
    from: asText,
    upper: value => value.toUpperCase(),
    lower: value => value.toLowerCase(),
    capitalize(value) {
        const [first = "", ...rest] = characters(value);
        return first.toUpperCase() + rest.join("");
    },
    trim: value => value.replace(SPACE, ""),
    isBlank: value => value.replace(SPACE, "") === "",
    length: value => characters(value).length,
    slice: (value, start, end) => characters(value).slice(start, end).join(""),
    before: (value, separator) => separator === "" ? value : value.split(separator, 1)[0],
    after(value, separator) {
        const at = value.indexOf(separator);
        return separator === "" ? value : at < 0 ? "" : value.slice(at + separator.length);
    },
    split: (value, separator) => separator === "" ? characters(value) : value.split(separator),
    lines: value => value.split(/\r\n|\n|\r/),
    replace(value, find, by) {
        const parts = occurrences(value, find);
        const size = text => characters(text).length;
        if (size(value) + (parts.length - 1) * (size(by) - size(find)) > MAX_TEXT) throw tooLong();
        return parts.join(by);
    },
    count: (value, find) => occurrences(value, find).length - 1,
    contains: (value, find) => value.includes(find),
    startsWith: (value, find) => value.startsWith(find),
    endsWith: (value, find) => value.endsWith(find),
    padStart: (value, length, fill = " ") => filling(value, length, fill) + value,
    padEnd: (value, length, fill = " ") => value + filling(value, length, fill),
    repeat(value, times) {
        if (times < 0) throw new OutOfRange("times is negative");
        if (characters(value).length * times > MAX_TEXT) throw tooLong();
        return value === "" ? "" : value.repeat(times);
    },
    truncate(value, length, suffix = "\u2026") {
        if (length < 0) throw new OutOfRange("length is negative");
        const units = characters(value), end = characters(suffix);
        if (units.length <= length) return value;
        return units.slice(0, Math.max(length - end.length, 0)).join("") + end.slice(0, length).join("");
    },
    reverse: value => characters(value).reverse().join(""),
    slug(value) {
        const bare = value.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
        return bare.replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "");
    },
});
