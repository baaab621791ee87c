"""What encoding took: texts, tokens and seconds, of one process or of many together."""

from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass
class Effort:
    """Counts and seconds of a process that encodes.

    Attributes:
        texts: that went through the model.
        text_tokens: theirs, without special ones, prefixes and overlaps.
        tokens: through the model, all of those included.
        padded_tokens: the same with padding.
        flops: floating point operations on real tokens: for a window of L tokens
            ``2 * L * weights + 4 * L**2 * layers * hidden``, where ``weights`` are those of the matrices of the layers,
            a multiplication and an addition each, and the second part is attention's scores and sums.
        total_seconds: from the first text to the last vector, loading not counted.
        model_seconds: in forward passes, transfers included.
        tokenise_seconds: in the thread that tokenises ahead.
        wait_seconds: that the model waited for it.
        load_seconds: until the model was there.
        batch_tokens: budget of a forward pass at the end, lower than at first if memory ran out.
        peak_flops: of the device in a second by its data sheet, 0 where it is not known.
    """

    texts: int = 0
    text_tokens: int = 0
    tokens: int = 0
    padded_tokens: int = 0
    flops: float = 0.0
    total_seconds: float = 0.0
    model_seconds: float = 0.0
    tokenise_seconds: float = 0.0
    wait_seconds: float = 0.0
    load_seconds: float = 0.0
    batch_tokens: int = 0
    peak_flops: float = 0.0

    @property
    def mfu(self) -> float | None:
        """Model FLOPs utilisation: ``flops / (total_seconds * peak_flops)``; padding is no work done. None on CPUs."""
        return self.flops / (self.total_seconds * self.peak_flops) if self.peak_flops and self.total_seconds else None


def add_up(efforts: Iterable[Effort]) -> Effort:
    """Sums; of ``batch_tokens`` the least and of ``peak_flops`` the greatest, those that are 0 left out."""
    found = list(efforts)
    total = Effort(**{field.name: sum(getattr(effort, field.name) for effort in found) for field in fields(Effort)})
    total.batch_tokens = min((effort.batch_tokens for effort in found if effort.batch_tokens), default=0)
    total.peak_flops = max((effort.peak_flops for effort in found), default=0.0)
    return total
