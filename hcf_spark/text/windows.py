"""A text's tokens as overlapping windows that the model can take."""

from collections.abc import Sequence


def cut_windows(token_ids: Sequence[int], size: int, overlap: int) -> list[Sequence[int]]:
    """Cut ``token_ids`` so that every token is in a window and neighbours share ``overlap`` tokens.

    Args:
        token_ids: a text's tokens, without special ones.
        size: most tokens in a window.
        overlap: tokens that a window repeats of the one before it; less than ``size``.

    Returns:
        At least one window; each after the first brings at least one new token. No tokens give one empty window.

    Raises:
        ValueError: windows that overlap this much would never end.

    >>> cut_windows([1, 2, 3, 4, 5, 6, 7, 8], size=4, overlap=1)
    [[1, 2, 3, 4], [4, 5, 6, 7], [7, 8]]
    """
    if not 0 <= overlap < size:
        raise ValueError(f"overlap must be at least 0 and less than size {size}, found {overlap}")
    starts = range(0, max(len(token_ids) - overlap, 1), size - overlap)
    return [token_ids[start : start + size] for start in starts]
