"""The recipe of the images: linted, least privilege, and the same names as chart and compose."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from tests.deploy.dockerfile import IMAGES, Stage, build_stages, lineage, read_stages
from tests.deploy.manifests import ROOT

DOCKERFILE = ROOT / "deploy/Dockerfile"
_COMPILERS = re.compile(
    r"\b(gcc|g\+\+|clang|build-essential|make|cmake|cargo|rustc|python3?-dev)\b"
)


@pytest.fixture(scope="module")
def stages() -> dict[str, Stage]:
    return read_stages(DOCKERFILE)


def test_hadolint_has_nothing_to_say() -> None:
    hadolint = Path(sys.prefix) / "bin/hadolint"
    report = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (report.returncode, report.stdout) == (0, "")


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_runs_as_nobody_special(stages: dict[str, Stage], image: str) -> None:
    instructions = [step for stage in lineage(stages, image) for step in stage.instructions]
    users = [rest for word, rest in instructions if word == "USER"]
    assert users[-1] == "10001:10001"
    assert any(word == "HEALTHCHECK" for word, _ in instructions)
    entry = [rest for word, rest in instructions if word == "ENTRYPOINT"]
    # The exec form: signals reach the service, not a shell.
    assert json.loads(entry[-1])[0] in ("python", "xunwen")
    assert ("STOPSIGNAL", "SIGTERM") in instructions


@pytest.mark.parametrize("image", IMAGES)
def test_the_default_command_exists(stages: dict[str, Stage], image: str) -> None:
    """A quick look at names; `make soak` runs it in the built image."""
    steps = {
        word: json.loads(rest)
        for stage in lineage(stages, image)
        for word, rest in stage.instructions
        if word in ("ENTRYPOINT", "CMD")
    }
    command = [*steps["ENTRYPOINT"], *steps.get("CMD", [])]
    if command[0] == "python":
        assert command[1] == "-m"
        assert find_spec(f"{command[2]}.__main__") is not None
    else:
        program = [str(Path(sys.prefix) / "bin" / command[0]), *command[1:]]
        subprocess.run(program, check=True, capture_output=True)


@pytest.mark.parametrize("image", IMAGES)
def test_no_compiler_anywhere(stages: dict[str, Stage], image: str) -> None:
    for stage in [*build_stages(stages, image), *lineage(stages, image)]:
        for word, rest in stage.instructions:
            assert not (word == "RUN" and _COMPILERS.search(rest)), rest


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_installs_its_own_extra_pinned(stages: dict[str, Stage], image: str) -> None:
    steps = [step for stage in lineage(stages, f"build-{image}") for step in stage.instructions]
    assert any(
        word == "ENV" and "PIP_CONSTRAINT=/src/constraints.txt" in rest for word, rest in steps
    )
    installs = [rest for word, rest in steps if word == "RUN" and "pip install" in rest]
    extra = {"trainer": "training", "gateway": "gateway,cli"}.get(image, image)
    given = [rest for word, rest in steps if word == "ARG" and rest.startswith("EXTRAS=")]
    upgrade, named, *later = installs
    assert "pip install --constraint constraints.txt --upgrade pip " in upgrade
    named = named.replace("$EXTRAS", given[-1].removeprefix("EXTRAS=") if given else "")
    assert named.endswith(f'pip install ".[{extra}]"')
    assert all("--no-deps" in one for one in later)


def test_compose_builds_these_images(stages: dict[str, Stage]) -> None:
    compose = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
    for name, service in compose["services"].items():
        if "build" in service:
            target = service["build"]["target"]
            assert target in IMAGES, name
            assert service["image"].startswith(f"xunwen-{target}:"), name


def test_the_context_holds_what_is_copied(stages: dict[str, Stage]) -> None:
    allowed = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    for stage in stages.values():
        for word, rest in stage.instructions:
            if word == "COPY" and not rest.startswith("--from"):
                *sources, _ = rest.split()
                assert set(sources) <= allowed
                assert all((ROOT / source).exists() for source in sources)
