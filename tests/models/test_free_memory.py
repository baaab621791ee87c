"""Free memory of the machine and of the container."""

from types import SimpleNamespace

import psutil
import pytest

from hcf_spark.models.free_memory import free_memory

FILES = {  # limit, use and statistics, as version 2 and version 1 of cgroups call them
    2: ("memory.max", "memory.current", "memory.stat"),
    1: ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
}
STATISTICS = {
    2: "anon 4000\nactive_file 1000\ninactive_file 2000",
    1: "cache 7\nactive_file 7\ntotal_active_file 1000\ntotal_inactive_file 2000",
}


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """One with a million free bytes."""
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1_000_000))


def write(folder, version, limit, used):
    for name, content in zip(FILES[version], (limit, used, STATISTICS[version]), strict=True):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"{content}\n")


def test_without_a_container_it_is_the_machines(tmp_path):
    assert free_memory(tmp_path) == 1_000_000


@pytest.mark.parametrize("version", [1, 2])
def test_a_container_may_have_less_and_its_cached_files_do_not_count(tmp_path, version):
    write(tmp_path, version, limit=9000, used=7000)
    assert free_memory(tmp_path) == 5000
    write(tmp_path, version, limit=9000, used=20_000)
    assert free_memory(tmp_path) == 0


def test_a_container_without_a_limit_has_what_the_machine_has(tmp_path):
    write(tmp_path, 2, limit="max", used=7000)
    assert free_memory(tmp_path) == 1_000_000


def test_a_container_may_have_more_than_the_machine_has_left(tmp_path):
    write(tmp_path, 2, limit=9_000_000, used=7000)
    assert free_memory(tmp_path) == 1_000_000
