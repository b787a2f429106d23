const DAY = 86400000, FIRST = -62135596800000, LAST = 253402300799999;
const OUTSIDE = "the date is outside the years 1 to 9999";
const OFFSET = /^([+-])([01][0-9]|2[0-3]):?([0-5][0-9])(?::?([0-5][0-9]))?$/;
const knownZones = new Map();

const modulo = (number, by) => (number % by + by) % by;
const inside = ms => {
    if (!(ms >= FIRST && ms <= LAST)) throw new OutOfRange(OUTSIDE);
    return ms;
};
const fixed = seconds => ({offset: () => seconds});

function offsetOf(text) {
    if (text === "Z") return 0;
    const parts = OFFSET.exec(text);
    if (!parts) return null;
    const [, sign, hours, minutes, seconds = 0] = parts;
    return (sign === "-" ? -1 : 1) * (hours * 3600 + minutes * 60 + Number(seconds));
}

function zoneOf(name) {
    if (name === "UTC") return fixed(0);
    check(typeof name === "string", name);
    const seconds = offsetOf(name);
    if (seconds !== null) return fixed(seconds);
    if (!knownZones.has(name)) knownZones.set(name, namedZone(name));
    return knownZones.get(name);
}

// One line of the table for each zone; see `zone_table`.
function namedZone(name) {
    const at = /^[A-Z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+){0,2}$/.test(name) ? zones.indexOf(" " + name + " ") : -1;
    if (at < 0) throw new WrongType();
    const line = zones.slice(zones.indexOf("|", at) + 1, zones.indexOf("\n", at));
    const [before, rule, changes] = line.split("|");
    const numbers = rule ? rule.split(",").map(Number) : null;
    const moments = [], offsets = [];
    let moment = 0;
    changes.split(" ").forEach((text, index) => {
        if (text === "") return;
        if (index % 2) offsets.push(parseInt(text, 36));
        else moments.push(moment += parseInt(text, 36));
    });
    const first = parseInt(before, 36);
    return {
        offset(ms) {
            const second = Math.floor(ms / 1000), last = moments.length - 1;
            if (numbers && (last < 0 || second >= moments[last])) return ruled(numbers, second);
            let low = 0, high = moments.length;
            while (low < high) {
                const middle = low + high >> 1;
                if (moments[middle] <= second) low = middle + 1;
                else high = middle;
            }
            return low ? offsets[low - 1] : first;
        },
    };
}

// The offset by the yearly rule of a POSIX TZ string: daylight saving from one day's second to another's.
function ruled([standard, daylight, ...days], second) {
    if (days.length === 0) return standard;
    const year = new Date(1000 * (second + standard)).getUTCFullYear();
    const change = ([month, week, weekday, time], offset) => {
        const first = utc(year, month, 1) / DAY, length = utc(year, month + 1, 1) / DAY - first;
        let day = modulo(weekday - modulo(first + 4, 7), 7) + 7 * (week - 1);
        if (day >= length) day -= 7;
        return (first + day) * 86400 + time - offset;
    };
    const begin = change(days.slice(0, 4), standard), end = change(days.slice(4), daylight);
    const saving = begin < end ? second >= begin && second < end : second >= begin || second < end;
    return saving ? daylight : standard;
}

function utc(year, month, day) {
    const date = new Date(0);
    date.setUTCFullYear(year, month - 1, day);
    return date.getTime();
}

function at(ms, zone) {
    const moment = {ms: inside(ms), offset: zone.offset(ms)};
    moment.wall = inside(ms + 1000 * moment.offset);
    return moment;
}

function placed(wall, zone) {
    const instants = [wall - DAY, wall + DAY].map(near => wall - 1000 * zone.offset(near)).sort((one, other) => one - other);
    const ms = instants.find(each => each + 1000 * zone.offset(each) === wall);
    return at(ms === undefined ? wall - 1000 * zone.offset(instants[0]) : ms, zone);
}

function fields(wall) {
    const date = new Date(wall);
    return [
        date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate(),
        date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds(), date.getUTCMilliseconds(),
    ];
}

// Null when there is no such date.
function wallOf([year, month, day, hour, minute, second, milli]) {
    const date = utc(year, month, day);
    const [y, m, d] = fields(date);
    if (year < 1 || y !== year || m !== month || d !== day || hour > 23 || minute > 59 || second > 59) return null;
    return date + 1000 * (60 * (60 * hour + minute) + second) + milli;
}

const padded = (number, length = 2) => String(number).padStart(length, "0");

function offsetText(offset) {
    if (offset === 0) return "Z";
    const minutes = Math.floor(Math.abs(offset) / 60), seconds = Math.abs(offset) % 60;
    const odd = seconds ? ":" + padded(seconds) : "";
    return (offset < 0 ? "-" : "+") + padded(Math.floor(minutes / 60)) + ":" + padded(minutes % 60) + odd;
}

function written({wall, offset}) {
    const [year, month, day, hour, minute, second, milli] = fields(wall);
    const date = padded(year, 4) + "-" + padded(month) + "-" + padded(day);
    const time = padded(hour) + ":" + padded(minute) + ":" + padded(second) + (milli ? "." + padded(milli, 3) : "");
    return date + "T" + time + offsetText(offset);
}

const ISO = /^([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?(Z|[+-][0-9:]{4,8})?)?$/;

// Null when the text is no ISO 8601 date.
function readIso(text, zone) {
    const parts = ISO.exec(text);
    if (!parts) return null;
    const [year, month, day, hour = 0, minute = 0, second = 0] = parts.slice(1, 7).map(part => part && Number(part));
    const milli = parts[7] ? Number((parts[7] + "00").slice(0, 3)) : 0;
    const offset = parts[8] ? offsetOf(parts[8]) : undefined;
    const wall = wallOf([year, month, day, hour, minute, second, milli]);
    if (wall === null || offset === null) return null;
    return placed(wall, offset === undefined ? zone : fixed(offset));
}

function momentOf(value) {
    if (typeof value === "number" && isWhole(value) && value >= FIRST && value <= LAST) return at(value, fixed(0));
    if (typeof value !== "string") throw new WrongType();
    try {
        return readIso(value, fixed(0)) || check(false);
    } catch (error) {
        throw error instanceof OutOfRange ? new WrongType() : error;
    }
}

const MONTHS = "January February March April May June July August September October November December".split(" ");
const WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(" ");
const short = name => name.slice(0, 3);
const two = "[0-9]{2}", some = "[0-9]{1,2}";
const READS = {
    yyyy: "[0-9]{4}", yy: two, MM: two, M: some, dd: two, d: some, HH: two, H: some, hh: two, h: some,
    mm: two, m: some, ss: two, s: some, SSS: "[0-9]{3}", a: "[AP]M", XXX: "Z|[+-][0-9]{2}:[0-9]{2}",
    MMMM: MONTHS.join("|"), MMM: MONTHS.map(short).join("|"), EEEE: WEEKDAYS.join("|"), EEE: WEEKDAYS.map(short).join("|"),
};

function pieces(pattern) {
    const list = [], piece = /'((?:[^']|'')*)'|([A-Za-z])\2*|([^A-Za-z']+)/y;
    while (piece.lastIndex < pattern.length) {
        const parts = piece.exec(pattern);
        if (!parts) throw new OutOfRange("a quote in the pattern is not closed");
        const [text, quoted, letter, literal] = parts;
        if (letter && !has(READS, text)) throw new OutOfRange(text + " means nothing in a pattern");
        list.push(letter ? [text, ""] : ["", literal || quoted.replace(/''/g, "'") || "'"]);
    }
    return list;
}

const weekdayOf = wall => modulo(Math.floor(wall / DAY) + 3, 7) + 1;

function writeBy(moment, pattern) {
    const [year, month, day, hour, minute, second, milli] = fields(moment.wall);
    const weekday = WEEKDAYS[weekdayOf(moment.wall) - 1], half = hour % 12 || 12;
    const texts = {
        yyyy: padded(year, 4), yy: padded(year % 100), MMMM: MONTHS[month - 1], MMM: short(MONTHS[month - 1]),
        MM: padded(month), M: String(month), dd: padded(day), d: String(day), EEEE: weekday, EEE: short(weekday),
        HH: padded(hour), H: String(hour), hh: padded(half), h: String(half), mm: padded(minute), m: String(minute),
        ss: padded(second), s: String(second), SSS: padded(milli, 3), a: hour < 12 ? "AM" : "PM",
        XXX: offsetText(moment.offset),
    };
    return pieces(pattern).map(([letters, literal]) => literal || texts[letters]).join("");
}

function readBy(text, pattern, zone) {
    const values = {y: 1970, M: 1, d: 1, H: 0, m: 0, s: 0, S: 0}, unfit = "the text does not fit the pattern";
    let position = 0, half = "";
    for (const [letters, literal] of pieces(pattern)) {
        const piece = literal || (new RegExp(READS[letters]).exec(text.slice(position)) || [null])[0];
        if (piece === null || !text.startsWith(piece, position)) throw new OutOfRange(unfit);
        position += piece.length;
        if (letters === "a") half = piece;
        else if (letters === "XXX") {
            const offset = offsetOf(piece);
            if (offset === null) throw new OutOfRange("there is no such date");
            zone = fixed(offset);
        } else if (letters && letters[0] !== "E") values[letters[0] === "h" ? "H" : letters[0]] = numberOf(letters, piece);
    }
    if (position < text.length) throw new OutOfRange(unfit);
    if (half) values.H = values.H % 12 + (half === "PM" ? 12 : 0);
    const wall = wallOf(Array.from("yMdHmsS", key => values[key]));
    if (wall === null) throw new OutOfRange("there is no such date");
    return placed(wall, zone);
}

function numberOf(letters, text) {
    if (letters.startsWith("MMM")) return 1 + MONTHS.findIndex(month => month.startsWith(text.slice(0, 3)));
    return Number(text) + (letters === "yy" ? 2000 : 0);
}

const ELAPSED = {millisecond: 1, second: 1000, minute: 60000, hour: 3600000};
const DAYS = {day: 1, week: 7}, CALENDAR = {month: 1, quarter: 3, year: 12};
const singular = unit => unit.replace(/s$/, "");

function monthsLater(wall, months) {
    const [year, month, day, ...time] = fields(wall);
    const total = month - 1 + months, other = year + Math.floor(total / 12), atMonth = modulo(total, 12) + 1;
    if (!(other >= 1 && other <= 9999)) throw new OutOfRange(OUTSIDE);
    const length = (utc(other, atMonth + 1, 1) - utc(other, atMonth, 1)) / DAY;
    return wallOf([other, atMonth, Math.min(day, length), ...time]);
}

function later(moment, amount, unit, zone) {
    if (has(ELAPSED, unit)) return at(moment.ms + amount * ELAPSED[unit], zone);
    if (has(DAYS, unit)) return placed(inside(moment.wall + amount * DAYS[unit] * DAY), zone);
    return placed(monthsLater(moment.wall, amount * CALENDAR[unit]), zone);
}

function startOf(moment, unit, zone) {
    if (has(ELAPSED, unit)) return at(moment.ms - modulo(moment.wall, ELAPSED[unit]), zone);
    const midnight = moment.wall - modulo(moment.wall, DAY);
    if (unit === "day") return placed(inside(midnight), zone);
    if (unit === "week") return placed(inside(midnight - (weekdayOf(moment.wall) - 1) * DAY), zone);
    const [year, month] = fields(moment.wall), length = CALENDAR[unit];
    return placed(wallOf([year, Math.floor((month - 1) / length) * length + 1, 1, 0, 0, 0, 0]), zone);
}

declare("date", {
    parse(value, pattern, zone = fixed(0)) {
        const moment = pattern === undefined ? readIso(value, zone) : readBy(value, pattern, zone);
        if (!moment) throw new OutOfRange("the text is no ISO 8601 date");
        return written(moment);
    },
    isValid(value) {
        try {
            return readIso(value, fixed(0)) !== null;
        } catch (error) {
            if (error instanceof OutOfRange) return false;
            throw error;
        }
    },
    format: (value, pattern, zone) => writeBy(zone ? at(value.ms, zone) : value, pattern),
    toZone: (value, zone) => written(at(value.ms, zone)),
    add(value, amount, unit, zone = fixed(value.offset)) {
        return written(later(at(value.ms, zone), amount, singular(unit), zone));
    },
    diff(from, to, unit, zone = fixed(from.offset)) {
        const name = singular(unit);
        if (has(ELAPSED, name)) return (to.ms - from.ms) / ELAPSED[name];
        const begin = at(from.ms, zone).wall, end = at(to.ms, zone).wall;
        if (has(DAYS, name)) return Math.trunc((end - begin) / DAY / DAYS[name]);
        const [year, month] = fields(begin), [otherYear, otherMonth] = fields(end);
        let months = 12 * (otherYear - year) + otherMonth - month;
        const passed = monthsLater(begin, months);
        if (months > 0 && passed > end) months--;
        else if (months < 0 && passed < end) months++;
        return Math.trunc(months / CALENDAR[name]);
    },
    startOf(value, unit, zone = fixed(value.offset)) {
        return written(startOf(at(value.ms, zone), singular(unit), zone));
    },
    endOf(value, unit, zone = fixed(value.offset)) {
        const name = singular(unit);
        return written(at(later(startOf(at(value.ms, zone), name, zone), 1, name, zone).ms - 1, zone));
    },
    weekday: (value, zone) => weekdayOf((zone ? at(value.ms, zone) : value).wall),
    parts(value, zone) {
        const {wall, offset} = zone ? at(value.ms, zone) : value;
        const [year, month, day, hour, minute, second, millisecond] = fields(wall);
        return {
            year, month, day, hour, minute, second, millisecond, weekday: weekdayOf(wall),
            offset: Math.trunc(offset / 60) || 0,
        };
    },
    timestamp: value => value.ms,
    fromTimestamp: (value, zone = fixed(0)) => written(at(value, zone)),
    isBefore: (value, other) => value.ms < other.ms,
    isAfter: (value, other) => value.ms > other.ms,
});
