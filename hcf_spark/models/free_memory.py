"""How much memory a process may still take."""

from pathlib import Path

from hcf_spark.errors import TrainingError

_CONTAINERS = (  # limit, use, and among the use cached files, given back when needed: cgroup version 2, version 1
    ("memory.max", "memory.current", "memory.stat", ""),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_"),
)


def require_memory(what: str, gigabytes: float) -> None:
    """Stop before more memory is taken than there is.

    Args:
        what: takes the memory; opens the error's line.
        gigabytes: of 1e9 bytes each.

    Raises:
        TrainingError: so much is not free.
    """
    free = free_memory() / 1e9
    if gigabytes > free:
        raise TrainingError(
            f"{what} needs about {gigabytes:.1f} GB of memory, {free:.1f} GB are free; take a machine with more, or "
            f"raise filter.min_companies_per_product"
        )


def free_memory(cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that are free on this machine, and in the container if there is one."""
    import psutil  # here: a served model does without

    free = psutil.virtual_memory().available
    for limit, used, stat, prefix in _CONTAINERS:
        try:
            most = int((cgroups / limit).read_text())
            in_use = int((cgroups / used).read_text())
            counts = dict(line.split() for line in (cgroups / stat).read_text().splitlines())
            cached = sum(int(counts[f"{prefix}{kind}_file"]) for kind in ("active", "inactive"))
        except (OSError, ValueError, KeyError):  # not there, "max", or of another make
            continue
        free = min(free, max(0, most - in_use + cached))
    return free
