"""Names taken out of texts, to see what a text tells beside them."""

import re
from collections.abc import Iterable

MASK = "product"
_TOKEN = re.compile(r"\w+|[^\w\s]")


class NameMask:
    """Replaces names by the word "product": whole words, whatever their case and spacing, the longest name first.

    A text is gone through once, whatever the number of names.

    >>> NameMask(["Oracle", "Oracle Cloud", "C++"]).apply("We run ORACLE  cloud and c++, not Oracles.")
    'We run product and product, not Oracles.'

    Args:
        names: those without a letter, digit or sign are passed over.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {tuple(_TOKEN.findall(name.lower())) for name in names} - {()}
        lengths: dict[str, set[int]] = {}
        for tokens in self._names:
            lengths.setdefault(tokens[0], set()).add(len(tokens))
        self._lengths = {first: sorted(found, reverse=True) for first, found in lengths.items()}

    def apply(self, text: str) -> str:
        """The text with every name replaced."""
        places = list(_TOKEN.finditer(text))
        tokens = [place.group().lower() for place in places]
        kept, copied, position = [], 0, 0
        while position < len(tokens):
            lengths = self._lengths.get(tokens[position], ())
            spans = (tuple(tokens[position : position + length]) for length in lengths)
            length = next((len(span) for span in spans if span in self._names), 0)
            if length:
                kept += [text[copied : places[position].start()], MASK]
                copied = places[position + length - 1].end()
            position += max(length, 1)
        return "".join([*kept, text[copied:]])
