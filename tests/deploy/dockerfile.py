"""Reads the Dockerfile into stages, and carries out its build stages without Docker.

Only what builds is carried out (RUN, COPY, ENV and ARG of the stages that an image copies from, in
the order of the file); the image's own stage says the entry point. Absolute paths of the image are
moved under `root`, since virtual environments do not move afterwards.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

Instruction = tuple[str, str]
IMAGES = ("gateway", "recall", "rank", "indexer", "trainer")
"""Stages that are images of their own."""


@dataclass(slots=True)
class Stage:
    name: str
    parent: str
    instructions: list[Instruction] = field(default_factory=list)


def read_stages(path: Path) -> dict[str, Stage]:
    lines = re.sub(r"\\\n", " ", path.read_text()).splitlines()
    stages: dict[str, Stage] = {}
    current: Stage | None = None
    for line in lines:
        word, _, rest = line.strip().partition(" ")
        if not word or word.startswith("#"):
            continue
        if word == "FROM":
            parent, name = re.fullmatch(r"(\S+) AS (\S+)", rest).groups()  # type: ignore[union-attr]
            current = stages[name] = Stage(name, parent)
        elif current is not None:
            current.instructions.append((word, rest.strip()))
    return stages


def lineage(stages: dict[str, Stage], name: str) -> list[Stage]:
    """The stage and those it stands on, the lowest first."""
    stage = stages.get(name)
    return [] if stage is None else [*lineage(stages, stage.parent), stage]


def build_stages(stages: dict[str, Stage], target: str) -> list[Stage]:
    """The stages that `target` copies from, and what those need, in the file's order."""
    needed: set[str] = set()
    waiting = [target]
    while waiting:
        for stage in lineage(stages, waiting.pop()):
            for word, rest in stage.instructions:
                copied = re.match(r"--from=(\S+)", rest) if word == "COPY" else None
                if copied and copied[1] not in needed:
                    names = {one.name for one in lineage(stages, copied[1])}
                    needed |= names
                    waiting.extend(names)
    return [stage for stage in stages.values() if stage.name in needed]


class Image:
    """One target, installed under `root`."""

    def __init__(self, stages: dict[str, Stage], target: str, context: Path, root: Path) -> None:
        self.target = target
        self.root = root
        self._context = context
        self._stages = stages
        tools = root / "bin"
        tools.mkdir(parents=True)
        (tools / "python").symlink_to(Path(sys.base_prefix) / "bin/python3")
        # No test looks at compiled modules, which take pip a third of its time.
        self._env = {**os.environ, "PATH": f"{tools}:/usr/bin:/bin", "PIP_NO_COMPILE": "1"}
        for name in ("PYTHONPATH", "VIRTUAL_ENV"):
            self._env.pop(name, None)

    def build(self) -> None:
        """Raises CalledProcessError when a step fails."""
        for stage in build_stages(self._stages, self.target):
            directory = self._directory(stage)
            directory.mkdir(parents=True, exist_ok=True)
            arguments: dict[str, str] = {}
            for word, rest in stage.instructions:
                if word == "ENV":
                    self._env |= dict(re.findall(r"(\w+)=(\S+)", self._moved(rest)))
                elif word == "COPY" and not rest.startswith("--from"):
                    self._copy(rest.split(), directory)
                elif word == "ARG":
                    name, _, default = rest.partition("=")
                    arguments[name] = default
                elif word == "RUN":
                    self._run(rest, directory, arguments)

    def command(self) -> tuple[list[str], dict[str, str]]:
        """Entry point, default arguments and environment, as the image's own stages say."""
        environment = {**self._env}
        entry: list[str] = []
        arguments: list[str] = []
        for stage in lineage(self._stages, self.target):
            for word, rest in stage.instructions:
                if word == "ENV":
                    path = f"{self.root}/opt/xunwen/bin:/usr/bin:/bin"
                    pairs = re.findall(r"(\w+)=(\S+)", self._moved(rest).replace("$PATH", ""))
                    environment |= dict(pairs) | {"PATH": path, "HOME": str(self.root)}
                elif word == "ENTRYPOINT":
                    entry = json.loads(rest)
                elif word == "CMD":
                    arguments = json.loads(rest)
        return [self.program(entry[0]), *entry[1:], *arguments], environment

    def program(self, name: str) -> str:
        """Where a command of the image is."""
        return str(self.root / "opt/xunwen/bin" / name)

    def _directory(self, stage: Stage) -> Path:
        workdir = "/"
        for one in lineage(self._stages, stage.name):
            workdir = next((r for w, r in one.instructions if w == "WORKDIR"), workdir)
        return Path(self._moved(workdir))

    def _moved(self, text: str) -> str:
        return re.sub(r"(?<![\w./*])/(opt|src|wheels)\b", rf"{self.root}/\1", text)

    def _copy(self, parts: list[str], directory: Path) -> None:
        *sources, goal = parts
        for source in sources:
            to = directory / self._moved(goal) / (source if goal == "./" else "")
            origin = self._context / source
            if origin.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.pdiparams")
                shutil.copytree(origin, to, dirs_exist_ok=True, ignore=ignored)
            else:
                shutil.copy(origin, to)

    def _run(self, command: str, directory: Path, arguments: dict[str, str]) -> None:
        """Runs a command with the defaults of its stage's build arguments."""
        subprocess.run(
            ["/bin/sh", "-ec", self._moved(command)],
            cwd=directory,
            env=self._env | arguments,
            check=True,
            stdout=subprocess.DEVNULL,
        )
