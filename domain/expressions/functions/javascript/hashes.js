function bytesOf(text) {
    return Array.from(unescape(encodeURIComponent(text)), character => character.charCodeAt(0));
}

// Strict UTF-8: what is none is refused by decodeURIComponent.
function textOf(bytes, reason) {
    try {
        return decodeURIComponent(bytes.map(byte => "%" + byte.toString(16).padStart(2, "0")).join(""));
    } catch (_) {
        throw new OutOfRange(reason);
    }
}

// The message in blocks of sixteen 32-bit words, padded as MD5 (little-endian) and SHA (big-endian) ask for.
function blocksOf(bytes, little) {
    const size = bytes.length + 9 + 63 & ~63, view = new DataView(new ArrayBuffer(size));
    bytes.forEach((byte, at) => view.setUint8(at, byte));
    view.setUint8(bytes.length, 0x80);
    view.setUint32(size - (little ? 8 : 4), bytes.length << 3, little);
    view.setUint32(size - (little ? 4 : 8), bytes.length >>> 29, little);
    const blocks = [];
    for (let at = 0; at < size; at += 64) blocks.push(Array.from({length: 16}, (_, word) => view.getInt32(at + 4 * word, little)));
    return blocks;
}

function packed(words, little) {
    const view = new DataView(new ArrayBuffer(4 * words.length));
    words.forEach((word, at) => view.setInt32(4 * at, word, little));
    return Array.from(new Uint8Array(view.buffer));
}

const left = (word, by) => word << by | word >>> 32 - by;
const right = (word, by) => word >>> by | word << 32 - by;

// RFC 1321
function md5(bytes) {
    const shifts = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    const sines = Array.from({length: 64}, (_, at) => Math.floor(Math.abs(Math.sin(at + 1)) * 2 ** 32) | 0);
    let state = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476];
    for (const words of blocksOf(bytes, true)) {
        let [a, b, c, d] = state;
        for (let at = 0; at < 64; at++) {
            const round = at >> 4;
            const mixed = [b & c | ~b & d, d & b | ~d & c, b ^ c ^ d, c ^ (b | ~d)][round];
            const word = words[[at, 5 * at + 1, 3 * at + 5, 7 * at][round] & 15];
            const turned = left(a + mixed + sines[at] + word | 0, shifts[round][at & 3]);
            [a, b, c, d] = [d, b + turned | 0, b, c];
        }
        state = [state[0] + a | 0, state[1] + b | 0, state[2] + c | 0, state[3] + d | 0];
    }
    return packed(state, true);
}

// FIPS 180-4
function sha1(bytes) {
    const adds = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6];
    let state = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476, 0xc3d2e1f0 | 0];
    for (const words of blocksOf(bytes, false)) {
        let [a, b, c, d, e] = state;
        for (let at = 0; at < 80; at++) {
            if (at > 15) words.push(left(words[at - 3] ^ words[at - 8] ^ words[at - 14] ^ words[at - 16], 1));
            const round = Math.floor(at / 20);
            const mixed = [b & c | ~b & d, b ^ c ^ d, b & c | b & d | c & d, b ^ c ^ d][round];
            [a, b, c, d, e] = [left(a, 5) + mixed + e + adds[round] + words[at] | 0, a, left(b, 30), c, d];
        }
        state = [state[0] + a | 0, state[1] + b | 0, state[2] + c | 0, state[3] + d | 0, state[4] + e | 0];
    }
    return packed(state, false);
}

const PRIMES = [];
for (let number = 2; PRIMES.length < 64; number++) if (PRIMES.every(prime => number % prime)) PRIMES.push(number);
const fraction = root => (root - Math.floor(root)) * 2 ** 32 | 0;
const SHA256_ADDS = PRIMES.map(prime => fraction(Math.cbrt(prime)));

function sha256(bytes) {
    let state = PRIMES.slice(0, 8).map(prime => fraction(Math.sqrt(prime)));
    for (const words of blocksOf(bytes, false)) {
        let [a, b, c, d, e, f, g, h] = state;
        for (let at = 0; at < 64; at++) {
            if (at > 15) {
                const two = words[at - 2], fifteen = words[at - 15];
                const low = right(fifteen, 7) ^ right(fifteen, 18) ^ fifteen >>> 3;
                const high = right(two, 17) ^ right(two, 19) ^ two >>> 10;
                words.push(words[at - 16] + low + words[at - 7] + high | 0);
            }
            const one = h + (right(e, 6) ^ right(e, 11) ^ right(e, 25)) + (e & f ^ ~e & g) + SHA256_ADDS[at] + words[at] | 0;
            const two = (right(a, 2) ^ right(a, 13) ^ right(a, 22)) + (a & b ^ a & c ^ b & c) | 0;
            [a, b, c, d, e, f, g, h] = [one + two | 0, a, b, c, d + one | 0, e, f, g];
        }
        state = [a, b, c, d, e, f, g, h].map((word, at) => state[at] + word | 0);
    }
    return packed(state, false);
}

const DIGESTS = {md5, sha1, sha256};

// RFC 2104
function hmac(bytes, key, digest) {
    const block = key.length > 64 ? digest(key) : key;
    const padded = by => Array.from({length: 64}, (_, at) => (block[at] || 0) ^ by);
    return digest([...padded(0x5c), ...digest([...padded(0x36), ...bytes])]);
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

function base64(bytes, urlSafe) {
    let text = "";
    for (let at = 0; at < bytes.length; at += 3) {
        const [one, two, three] = bytes.slice(at, at + 3);
        text += BASE64[one >> 2] + BASE64[(one & 3) << 4 | two >> 4];
        text += two === undefined ? "==" : BASE64[(two & 15) << 2 | three >> 6] + (three === undefined ? "=" : BASE64[three & 63]);
    }
    return urlSafe ? text.replace(/=+$/, "").replace(/\+/g, "-").replace(/\//g, "_") : text;
}

function unbase64(text, reason) {
    const bare = text.replace(/-/g, "+").replace(/_/g, "/").replace(/=+$/, "");
    if (bare.length % 4 === 1 || !/^[A-Za-z0-9+/]*$/.test(bare)) throw new OutOfRange(reason);
    const bytes = [];
    let bits = 0, count = 0;
    for (const character of bare) {
        bits = (bits << 6 | BASE64.indexOf(character)) & 0xffff;
        count += 6;
        if (count >= 8) bytes.push(bits >> (count -= 8) & 255);
    }
    return bytes;
}

const hex = bytes => bytes.map(byte => byte.toString(16).padStart(2, "0")).join("");
const encoded = (bytes, encoding = "hex") => encoding === "hex" ? hex(bytes) : base64(bytes, encoding === "base64url");

declare("hash", {
    md5: (value, encoding) => encoded(md5(bytesOf(value)), encoding),
    sha1: (value, encoding) => encoded(sha1(bytesOf(value)), encoding),
    sha256: (value, encoding) => encoded(sha256(bytesOf(value)), encoding),
    hmac: (value, key, algorithm = "sha256", encoding) => encoded(hmac(bytesOf(value), bytesOf(key), DIGESTS[algorithm]), encoding),
    base64: (value, urlSafe = false) => base64(bytesOf(value), urlSafe),
    fromBase64(value) {
        const reason = "the text is no Base64 of text";
        return textOf(unbase64(value, reason), reason);
    },
    hex: value => hex(bytesOf(value)),
    fromHex(value) {
        const reason = "the text is no hexadecimal of text";
        if (value.length % 2 || !/^[0-9a-fA-F]*$/.test(value)) throw new OutOfRange(reason);
        return textOf((value.match(/../g) || []).map(pair => parseInt(pair, 16)), reason);
    },
    urlEncode: encodeURIComponent,
    urlDecode(value) {
        try {
            return decodeURIComponent(value);
        } catch (_) {
            throw new OutOfRange("the text is not percent-encoded");
        }
    },
});
