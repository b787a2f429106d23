"""The `hash` functions: digests of UTF-8 text, and texts written in other alphabets."""

import base64 as codec
import hashlib
import hmac
from binascii import Error
from typing import Annotated, Final, TypeAlias
from urllib.parse import quote, unquote_to_bytes

from domain.expressions.errors import OutOfRange
from domain.expressions.functions.signatures import Choice, Flag, Text, function

Encoding: TypeAlias = Annotated[str, Choice(("hex", "base64", "base64url"))]
Algorithm: TypeAlias = Annotated[str, Choice(("md5", "sha1", "sha256"))]
_UNCHANGED: Final = "!'()*-._~"
_HEX_DIGITS: Final = frozenset("0123456789abcdefABCDEF")


@function("hash.md5", "For checksums only.", 'hash.md5("weir")', "57c6838eabf401f73f6dd50093408e33")
def md5(value: Text, encoding: Encoding = "hex") -> str:
    return _encoded(hashlib.md5(value.encode(), usedforsecurity=False).digest(), encoding)


@function("hash.sha1", "For checksums only.", 'hash.sha1("weir")', "73359e52b959cf85f75158a9bf78501ee2c9f529")
def sha1(value: Text, encoding: Encoding = "hex") -> str:
    return _encoded(hashlib.sha1(value.encode(), usedforsecurity=False).digest(), encoding)


@function("hash.sha256", "SHA-256.", 'hash.sha256("weir", "base64")', "nhvU5YvcJ8uav0xViyGWOj8/trCMcV6OK7bHlRYplLw=")
def sha256(value: Text, encoding: Encoding = "hex") -> str:
    return _encoded(hashlib.sha256(value.encode()).digest(), encoding)


@function(
    "hash.hmac",
    "A keyed digest, as webhooks are signed with.",
    'hash.hmac("body", "key", "sha1")',
    "70bbf6819d1037aa94ca7e7f537cbea25fe49283",
)
def keyed(value: Text, key: Text, algorithm: Algorithm = "sha256", encoding: Encoding = "hex") -> str:
    return _encoded(hmac.digest(key.encode(), value.encode(), algorithm), encoding)


@function("hash.base64", "In Base64; URL-safe and without padding on request.", 'hash.base64("añ?", true)', "YcOxPw")
def to_base64(value: Text, url_safe: Flag = False) -> str:
    return _encoded(value.encode(), "base64url" if url_safe else "base64")


@function("hash.fromBase64", "Reads both kinds of Base64.", 'hash.fromBase64("YcOxPw==")', "añ?")
def from_base64(value: Text) -> str:
    bare = value.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return codec.b64decode(bare + "=" * (-len(bare) % 4), validate=True).decode()
    except (Error, ValueError):
        raise OutOfRange("the text is no Base64 of text") from None


@function("hash.hex", "The bytes in hexadecimal.", 'hash.hex("ñ")', "c3b1")
def to_hex(value: Text) -> str:
    return value.encode().hex()


@function("hash.fromHex", "Reads hexadecimal.", 'hash.fromHex("C3b1")', "ñ")
def from_hex(value: Text) -> str:
    try:
        if len(value) % 2 or not _HEX_DIGITS.issuperset(value):
            raise ValueError(value)
        return bytes.fromhex(value).decode()
    except ValueError:
        raise OutOfRange("the text is no hexadecimal of text") from None


@function("hash.urlEncode", "For a part of a URL.", 'hash.urlEncode("a b&ñ")', "a%20b%26%C3%B1")
def url_encode(value: Text) -> str:
    return quote(value, safe=_UNCHANGED)


@function("hash.urlDecode", "Reads a part of a URL.", 'hash.urlDecode("a%20b%26")', "a b&")
def url_decode(value: Text) -> str:
    parts = value.split("%")
    if any(len(part) < 2 or not _HEX_DIGITS.issuperset(part[:2]) for part in parts[1:]):
        raise OutOfRange("the text is not percent-encoded")
    try:
        return unquote_to_bytes(value).decode()
    except ValueError:
        raise OutOfRange("the text is not percent-encoded") from None


def _encoded(data: bytes, encoding: str) -> str:
    match encoding:
        case "hex":
            return data.hex()
        case "base64":
            return codec.b64encode(data).decode()
        case _:
            return codec.urlsafe_b64encode(data).decode().rstrip("=")
