"""Random draws that depend on the seed and the row's key only: not on partitions, order or the number of executors."""

from pyspark.sql import Column
from pyspark.sql import functions as F

_RESOLUTION = 1 << 52


def uniform(seed: int, purpose: str, *keys: Column) -> Column:
    """A double in [0, 1) for each row, the same whenever seed, purpose and keys are."""
    return F.pmod(F.xxhash64(F.lit(seed), F.lit(purpose), *keys), F.lit(_RESOLUTION)) / F.lit(float(_RESOLUTION))
