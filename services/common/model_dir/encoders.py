"""The encoders of an installation: one for new collections, and those of existing collections."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from services.common.errors import EncoderMismatch, ModelInvalid
from services.common.model_dir.manifest import ModelKind, ModelManifest, load_manifest


@dataclass(frozen=True, slots=True)
class EncoderDirectory:
    """An encoder on disk, whose files are what its manifest describes."""

    directory: Path
    manifest: ModelManifest
    bytes: int
    """Size of the encoder's files in bytes, which is about what it takes in memory."""

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the encoder, 16 hex digits."""
        return self.manifest.fingerprint

    @property
    def dimension(self) -> int:
        """Number of dimensions of a vector."""
        assert self.manifest.dimension is not None  # noqa: S101 - the manifest checked it
        return self.manifest.dimension

    @classmethod
    def read(cls, directory: Path) -> Self:
        """An encoder's directory, whose files are checked. Raises ModelInvalid."""
        manifest = load_manifest(directory)
        if manifest.kind is not ModelKind.ENCODER:
            raise ModelInvalid(f"{directory.name} is a model of kind {manifest.kind}, not encoder")
        files = {item.file for _, item in manifest.files.named()}
        size = sum((directory / file).stat().st_size for file in files)
        return cls(directory, manifest, size)


class EncoderDirectories:
    """The encoders of an installation by fingerprint."""

    def __init__(self, default: EncoderDirectory, others: Sequence[EncoderDirectory] = ()) -> None:
        self.default = default
        """The encoder of collections that name none."""
        self._known = {each.fingerprint: each for each in (*others, default)}

    @classmethod
    def read(cls, default: Path, others: Sequence[Path]) -> Self:
        """Reads and verifies every model directory. Raises ModelInvalid."""
        return cls(EncoderDirectory.read(default), [*map(EncoderDirectory.read, others)])

    @property
    def others(self) -> Sequence[EncoderDirectory]:
        """All encoders but the default one, in the order of the setting."""
        return [each for each in self._known.values() if each is not self.default]

    @property
    def fingerprints(self) -> Sequence[str]:
        """The fingerprints of all encoders, that of the default one first."""
        return [self.default.fingerprint, *(each.fingerprint for each in self.others)]

    def __contains__(self, fingerprint: str) -> bool:
        return fingerprint in self._known

    def of(self, fingerprint: str | None) -> EncoderDirectory:
        """The encoder of a fingerprint; None gives the default one. Raises EncoderMismatch."""
        if fingerprint is None:
            return self.default
        if fingerprint not in self._known:
            known = ", ".join(self.fingerprints)
            raise EncoderMismatch(
                f"Encoder {fingerprint} is not installed here, {known} is: add its model directory"
                " to the setting ENCODERS of recall, indexer and workers, or rebuild the"
                " collection."
            )
        return self._known[fingerprint]
