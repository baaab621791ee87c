"""How much memory a process may still take."""

from pathlib import Path

import psutil

_CONTAINERS = (  # limit, use, and among the use what is given back when it is needed: cgroup version 2, version 1
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)


def free_memory(cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that are free on this machine, and in the container if there is one."""
    free = psutil.virtual_memory().available
    for limit, used, stat, cache in _CONTAINERS:
        try:
            most = (cgroups / limit).read_text().strip()
            in_use = int((cgroups / used).read_text())
            counts = dict(line.split() for line in (cgroups / stat).read_text().splitlines())
        except OSError:
            continue
        if most != "max":
            free = min(free, max(0, int(most) - in_use + int(counts.get(cache, 0))))
    return free
