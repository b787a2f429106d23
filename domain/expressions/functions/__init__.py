"""The functions of the expression language, in families: `text.upper(…)`, `date.add(…)`; see docs/functions.md.

Each stands twice: in Python for native evaluation, in `javascript/` for the sandbox; a test compares them.
"""

from domain.expressions.functions import dates, hashes, lists, numbers, objects, texts
from domain.expressions.functions.prelude import FAMILIES, sources
from domain.expressions.functions.signatures import FUNCTIONS, Choice, Function, Parameter
from domain.expressions.functions.zones import zone_table

MODULES = {"text": texts, "list": lists, "number": numbers, "date": dates, "hash": hashes, "json": objects}

__all__ = ["FAMILIES", "FUNCTIONS", "MODULES", "Choice", "Function", "Parameter", "sources", "zone_table"]
