// What every family needs: plain copies of arguments, their types, errors, and JSON in one order.
const MAX_TEXT = 1048576, MAX_DEPTH = 100, SAFE = 2 ** 53;
const SPACE = /^\s+|\s+$/g;
const HALF = /[\ud800-\udfff]/gu; // with "u" only a half that stands alone

function tooLong() {
    return new RangeError("an expression makes strings of at most 1,048,576 characters");
}

class OutOfRange extends Error {}
class WrongType extends Error {}

// Sets a member whatever its name: "__proto__" too is a key of JSON.
function put(object, key, value) {
    Object.defineProperty(object, key, {value, writable: true, enumerable: true, configurable: true});
}

function plain(value, depth = 0) {
    if (value && typeof value === "object" && typeof value.toJSON === "function") value = value.toJSON();
    switch (typeof value) {
        case "string": return value.replace(HALF, "\ufffd");
        case "number": return Number.isFinite(value) ? value || 0 : null;
        case "boolean": return value;
        case "object": break;
        default: return null;
    }
    if (value === null) return null;
    if (depth === MAX_DEPTH) throw new RangeError("the value is nested too deep");
    if (Array.isArray(value)) return Array.from(value, item => plain(item, depth + 1));
    const copy = {};
    for (const key of Object.keys(value)) {
        const member = value[key];
        if (member === undefined || typeof member === "function") continue;
        put(copy, key.replace(HALF, "\ufffd"), plain(member, depth + 1));
    }
    return copy;
}

const same = value => value;
const isObject = value => typeof value === "object" && value !== null && !Array.isArray(value);
const isWhole = value => Number.isInteger(value) && Math.abs(value) < SAFE;
const asText = value => typeof value === "string" ? value : JSON.stringify(value);
const has = (object, key) => Object.prototype.hasOwnProperty.call(object, key);

function shown(value) {
    if (typeof value === "string") return "text";
    if (Array.isArray(value)) return "a list";
    return isObject(value) ? "an object" : String(value);
}

// Equal for equal JSON: members in any order.
function identity(value) {
    if (Array.isArray(value)) return "[" + value.map(identity).join(",") + "]";
    if (!isObject(value)) return JSON.stringify(value);
    return "{" + Object.keys(value).sort().map(key => JSON.stringify(key) + ":" + identity(value[key])).join(",") + "}";
}

function found(value, path) {
    for (const key of path) {
        if (isObject(value)) value = has(value, key) ? value[key] : null;
        else if (Array.isArray(value) && /^(?:0|[1-9][0-9]{0,9})$/.test(key) && Number(key) < value.length) value = value[key];
        else return null;
    }
    return value;
}

function pathOf(value) {
    if (typeof value === "string") return value.split(".");
    if (!Array.isArray(value) || !value.every(key => typeof key === "string" || isWhole(key))) throw new WrongType();
    return value.map(asText);
}

// A function is called with the element, its position and the list, as those of arrays are.
function keyOf(value) {
    if (typeof value === "function") return (...given) => plain(value(...given));
    const path = pathOf(value);
    return item => found(item, path);
}

const converted = {
    "any value": value => value,
    "text": value => check(typeof value === "string", value),
    "a number": value => check(typeof value === "number", value),
    "a whole number": value => check(isWhole(value), value),
    "true or false": value => check(typeof value === "boolean", value),
    "a list": value => check(Array.isArray(value), value),
    "an object": value => check(isObject(value), value),
    "a date": value => momentOf(value),
    "a time zone": value => zoneOf(value),
    "a key": keyOf,
    "a path": pathOf,
};

function check(fits, value) {
    if (!fits) throw new WrongType();
    return value;
}

// `parameters`: for each its name, what it takes (a kind, or the texts to choose from) and whether it may be left out.
function argument(name, [parameter, takes, optional], given) {
    const value = takes === "a key" && typeof given === "function" ? given : plain(given);
    if (value === null && optional) return undefined;
    try {
        return Array.isArray(takes) ? check(takes.includes(value), value) : converted[takes](value);
    } catch (error) {
        if (!(error instanceof WrongType)) throw error;
        const words = Array.isArray(takes) ? "one of " + takes.join(", ") : takes;
        throw new TypeError(name + ": " + parameter + " should be " + words + ", not " + shown(value));
    }
}

function declare(family, functions) {
    const members = {};
    for (const own of Object.keys(functions)) {
        const name = family + "." + own, run = functions[own], parameters = signatures[name];
        members[own] = (...given) => {
            const values = parameters.map((parameter, at) => argument(name, parameter, given[at]));
            try {
                const result = run(...values);
                return result === 0 ? 0 : result;
            } catch (error) {
                throw error instanceof OutOfRange ? new RangeError(name + ": " + error.message) : error;
            }
        };
    }
    Object.defineProperty(globalThis, family, {value: Object.freeze(members), writable: true, configurable: true});
}
