"""XML as JSON values and back: attributes are `@name`, text beside them `#text`, repeated elements a list."""

import asyncio
from typing import cast
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

import defusedxml.sax
import xmltodict
from defusedxml import DefusedXmlException

from domain.json import JSON, JSONObject

MAX_BYTES = 4 * 1024 * 1024
MAX_ELEMENTS = 50_000
MAX_DEPTH = 100
_AT_ONCE = 32 * 1024
"""Smaller documents are parsed where they are; larger ones would hold up everything else."""


class WrongXml(ValueError):
    """The text is no XML, or more of it than is taken; a value is none that XML can say."""


async def parsed(content: bytes) -> JSON:
    """Raises WrongXml, also for a document type, entities, and what passes the limits."""
    if len(content) > MAX_BYTES:
        raise WrongXml(f"XML may have {MAX_BYTES:,} bytes; take larger documents as a file")
    return _parsed(content) if len(content) <= _AT_ONCE else await asyncio.to_thread(_parsed, content)


def _parsed(content: bytes) -> JSON:
    try:
        defusedxml.sax.parseString(content, _Limits(), forbid_dtd=True)
        return cast("JSON", xmltodict.parse(content))
    except DefusedXmlException:
        raise WrongXml("the XML has a document type or entities, which are not read") from None
    except (SAXParseException, UnicodeError) as error:
        reason = error.getMessage() if isinstance(error, SAXParseException) else str(error)
        raise WrongXml(f"it is no XML: {reason}") from None


def written(value: JSONObject) -> bytes:
    """A document in UTF-8; raises WrongXml for a value without exactly one root, or with a name that is none."""
    try:
        return xmltodict.unparse(cast("dict[str, object]", value)).encode()
    except (ValueError, TypeError, AttributeError) as error:
        raise WrongXml(f"the value cannot be written as XML: {error}") from None


class _Limits(ContentHandler):
    """Looks a document over before anything is built of it."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0
        self._elements = 0

    def startElement(self, name: str, attrs: AttributesImpl) -> None:
        self._depth += 1
        self._elements += 1 + len(attrs)
        if self._depth > MAX_DEPTH:
            raise WrongXml(f"the XML is nested more than {MAX_DEPTH} levels deep")
        if self._elements > MAX_ELEMENTS:
            raise WrongXml(f"the XML has more than {MAX_ELEMENTS:,} elements and attributes")

    def endElement(self, name: str) -> None:
        self._depth -= 1
