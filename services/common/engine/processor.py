"""The processor's properties that decide which engine is fast."""

from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16"})


def computes_in_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 natively; others emulate it and are slow.

    The kernel tells. Asking Paddle would load it, which takes two seconds and 300 MiB.
    """
    return bool(_words("flags") & _BFLOAT16)


def made_by_amd() -> bool:
    """Whether AMD made the processor, on which MKL takes its slow path."""
    return "AuthenticAMD" in _words("vendor_id")


def _words(field: str) -> set[str]:
    """Words of a field of /proc/cpuinfo over all cores; none where there is no such file."""
    if not _CPUINFO.is_file():
        return set()
    return {
        word
        for line in _CPUINFO.read_text().splitlines()
        if line.startswith(field)
        for word in line.partition(":")[2].split()
    }
