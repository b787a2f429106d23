"""Workflow files: text in one of the formats to a document and back."""

from enum import StrEnum

from domain.formats import json_format, yaml_format
from domain.formats.documents import document_from_json, document_to_json
from domain.graphs import Document


class Format(StrEnum):
    JSON = "json"
    YAML = "yaml"


def loads(text: bytes | str, file_format: Format) -> Document:
    """The document in the text.

    Raises TooLarge (20 MiB, 200 levels), Unreadable (no UTF-8, JSON or YAML; says where), InvalidGraph (a wrong
    shape, all findings at once).
    """
    return document_from_json(_FORMATS[file_format].parse(text))


def dumps(document: Document, file_format: Format) -> str:
    """The text of a document; `loads` of it gives an equal one."""
    return _FORMATS[file_format].write(document_to_json(document))


_FORMATS = {Format.JSON: json_format, Format.YAML: yaml_format}
