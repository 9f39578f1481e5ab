"""What the processor can do that decides between engines."""

from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16"})


def computes_in_bfloat16() -> bool:
    """Whether bfloat16 products are native; elsewhere they are emulated and slow.

    Read from the kernel: asking Paddle would load it, two seconds and 300 MiB.
    """
    if not _CPUINFO.is_file():
        return False
    flags = {
        flag
        for line in _CPUINFO.read_text().splitlines()
        if line.startswith("flags")
        for flag in line.partition(":")[2].split()
    }
    return bool(flags & _BFLOAT16)
