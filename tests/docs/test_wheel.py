"""The page on testing DAGs, followed in an empty project that has the wheel and pytest, no more."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stack import wheel
from stack.environment import child_environment
from tests.docs.blocks import Block, blocks

pytestmark = pytest.mark.slow
PAGE = "emulator"
TEST_FILE = "# test_scene.py"


def page_blocks(language: str) -> list[Block]:
    return [block for block in blocks(language) if block.page == PAGE and block.not_run is None]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty folder; what the page says is written into it by the tests."""
    if not wheel.is_installed():
        pytest.fail("the wheel is not installed: run `make wheel`")
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


def run(project: Path, *command: str) -> str:
    """Run a command of the wheel's environment in the project; return what it printed."""
    programs = wheel.environment_folder() / "bin"
    home = project.parent / "home"
    environment = child_environment(home)
    environment["PATH"] = f"{programs}:/usr/bin:/bin"
    result = subprocess.run(
        [str(programs / command[0]), *command[1:]],
        cwd=project, env=environment, timeout=240,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout
    return result.stdout


def test_the_wheel_holds_what_the_project_does_not_need_to_bring(project: Path) -> None:
    program = "import airflow_provider.earthengine as package; print(package.__path__[0])"
    assert str(wheel.environment_folder()) in run(project, "python", "-c", program)


def test_the_pages_tests_pass_with_nothing_but_the_plugin(project: Path) -> None:
    (configuration,), (asset,) = page_blocks("ini"), page_blocks("json")
    (tests,) = (block for block in page_blocks("python") if block.code.startswith(TEST_FILE))
    (project / "pytest.ini").write_text(configuration.code)
    (project / "catalog").mkdir()
    (project / "catalog" / "scene.json").write_text(asset.code)
    (project / "test_scene.py").write_text(tests.code)
    assert "2 passed" in run(project, "pytest", "-q", "-p", "no:cacheprovider")


@pytest.mark.parametrize(
    "block",
    [block for block in page_blocks("python") if not block.code.startswith(TEST_FILE)],
    ids=lambda block: block.id,
)
def test_the_pages_programs_run(project: Path, block: Block) -> None:
    (project / "program.py").write_text(block.code)
    run(project, "python", "program.py")


def test_the_pages_shell_commands_run(project: Path) -> None:
    for block in page_blocks("bash"):
        # The environment's python goes before the machine's.
        run(
            project,
            "python",
            "-c",
            f"""
import subprocess
subprocess.run(["/bin/bash", "-euo", "pipefail", "-c", {block.code!r}], check=True)
""",
        )
