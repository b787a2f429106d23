// A number's digits: its sign, those digits, and how many of them stand before the point.
function digitsOf(value) {
    const [, sign, whole, fraction = "", exponent = "0"] = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:e([-+]?[0-9]+))?$/.exec(String(value));
    return {sign, all: whole + fraction, point: whole.length + Number(exponent)};
}

// The number times ten to the digits as a whole number, rounded "half" away from zero, "up" or "down".
function scaled(value, digits, way) {
    const {sign, all, point} = digitsOf(value);
    const end = point + digits;
    const kept = BigInt(end > 0 ? all.slice(0, end).padEnd(end, "0") : "0");
    const rest = end >= 0 ? all.slice(end) : "0" + all;
    const some = /[1-9]/.test(rest);
    const more = way === "half" ? rest[0] >= "5" : some && (way === "up") === (sign === "");
    const magnitude = kept + (more ? 1n : 0n);
    return sign ? -magnitude : magnitude;
}

function rounded(value, digits, way) {
    if (digits < -20 || digits > 20) throw new OutOfRange("digits is not between -20 and 20");
    return Number(scaled(value, digits, way) + "e" + -digits);
}

function numbersOf(items, key = same) {
    const values = items.map(key);
    if (values.some(value => value !== null && typeof value !== "number")) throw new OutOfRange("an element is no number");
    return values.filter(value => value !== null);
}

const sum = numbers => numbers.reduce((total, number) => total + number, 0);
const orNull = (numbers, value) => numbers.length ? value(numbers) : null;

declare("number", {
    round: (value, digits = 0) => rounded(value, digits, "half"),
    floor: (value, digits = 0) => rounded(value, digits, "down"),
    ceil: (value, digits = 0) => rounded(value, digits, "up"),
    abs: Math.abs,
    clamp(value, low, high) {
        if (low > high) throw new OutOfRange("low is more than high");
        return Math.min(Math.max(value, low), high);
    },
    sum: (items, key) => sum(numbersOf(items, key)),
    avg: (items, key) => orNull(numbersOf(items, key), numbers => sum(numbers) / numbers.length),
    min: (items, key) => orNull(numbersOf(items, key), numbers => numbers.reduce((one, other) => Math.min(one, other))),
    max: (items, key) => orNull(numbersOf(items, key), numbers => numbers.reduce((one, other) => Math.max(one, other))),
    median: (items, key) => orNull(numbersOf(items, key), numbers => {
        const sorted = [...numbers].sort((one, other) => one - other), half = sorted.length >> 1;
        return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
    }),
    parse(value) {
        const number = value.replace(SPACE, "") === "" ? NaN : Number(value);
        return Number.isFinite(number) ? number : null;
    },
    format(value, digits = 0, decimal = ".", thousands = ",") {
        if (digits < 0 || digits > 20) throw new OutOfRange("digits is not between 0 and 20");
        const whole = scaled(value, digits, "half");
        const all = String(whole < 0n ? -whole : whole).padStart(digits + 1, "0");
        const cut = all.length - digits, groups = [];
        for (let end = cut; end > 0; end -= 3) groups.unshift(all.slice(Math.max(end - 3, 0), end));
        return (whole < 0n ? "-" : "") + groups.join(thousands) + (digits ? decimal + all.slice(cut) : "");
    },
});
