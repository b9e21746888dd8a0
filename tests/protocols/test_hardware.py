"""What the machine is asked: its free memory, and the most that this process held."""

import mmap

import numpy as np

from protocols import hardware


def test_free_memory_is_what_linux_calls_available(tmp_path):
    """Not what is free: the page cache counts too. Other processes take and give back memory all
    the time, so two looks at the real file can't be compared."""
    written = tmp_path / "meminfo"
    lines = "MemTotal: 24000000 kB\nMemFree: 1000 kB\nMemAvailable: 17000000 kB\nCached: 9 kB\n"
    written.write_text(lines, encoding="utf-8")
    assert hardware.free_memory(written) == 17_000_000 * 1024
    written.write_text("MemTotal: 24000000 kB\n", encoding="utf-8")
    assert hardware.free_memory(written) == hardware.free_memory(tmp_path / "none") == 0
    assert 100e6 < hardware.free_memory() < 1e14


def test_peak_memory_begins_anew():
    """Linux gives the peak back; what is held stays. The memory is mapped by hand: malloc may hand
    out what the process has freed and holds all the same, and then the peak doesn't fall."""
    with mmap.mmap(-1, 400_000_000) as big:
        np.frombuffer(big, np.uint8)[:] = 1
        high = hardware.peak_memory()
    hardware.reset_peak_memory()
    low = hardware.peak_memory()
    assert high - low > 300e6
    assert low > 10e6
