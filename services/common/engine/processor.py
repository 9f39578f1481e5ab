"""What the processor is and can do, as far as speed hangs on it."""

from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16"})


def computes_in_bfloat16() -> bool:
    """Whether bfloat16 products are native; elsewhere they are emulated and slow.

    Read from the kernel: asking Paddle would load it, two seconds and 300 MiB.
    """
    return bool(_words("flags") & _BFLOAT16)


def made_by_amd() -> bool:
    return "AuthenticAMD" in _words("vendor_id")


def _words(field: str) -> set[str]:
    """The words of a field of any core; none where the kernel does not say."""
    if not _CPUINFO.is_file():
        return set()
    return {
        word
        for line in _CPUINFO.read_text().splitlines()
        if line.startswith(field)
        for word in line.partition(":")[2].split()
    }
