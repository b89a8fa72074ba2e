"""The page on testing DAGs, followed in an empty project that has the wheel and pytest, no more."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from stack import wheel
from stack.environment import PROJECT_FOLDER, child_environment
from tests.docs.blocks import Block, blocks
from tests.integration.readme import readme_block

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


def readme_commands(heading: str) -> list[list[str]]:
    """Return the lines of each block of bash under a heading of the README."""
    text = (PROJECT_FOLDER / "README.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    found = re.findall(r"^```bash\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return [block.splitlines() for block in found]


def test_the_quick_start_of_the_readme_works_in_an_empty_folder(project: Path) -> None:
    (install, start), second = readme_commands("In two minutes, without an account")
    assert install == "pip install 'airflow-provider-earthengine[demo]'", (
        "what the wheel tests have"
    )
    programs = wheel.environment_folder() / "bin"
    environment = child_environment(project.parent / "home")
    environment["PATH"] = f"{programs}:/usr/bin:/bin"
    with subprocess.Popen(
        shlex.split(start), cwd=project, env=environment, executable=programs / "earthengine-to-s3",
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as demo:  # fmt: skip
        try:
            assert demo.stdout is not None
            said = ""
            while "until Ctrl-C" not in said:
                line = demo.stdout.readline()
                assert line, said
                said += line
            # Pasting the DAG is the one line that is typed.
            dag = readme_block("python")
            (typed,) = (line for line in second if line.startswith("cat > dags/santa_cruz.py"))
            pasted = f"cat > dags/santa_cruz.py <<'END'\n{dag}END"
            script = "\n".join(second).replace(typed, pasted)
            result = subprocess.run(
                ["/bin/bash", "-euo", "pipefail", "-c", script],
                cwd=project, env=environment, timeout=480,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
            assert result.returncode == 0, result.stdout
            last = result.stdout.splitlines()[-2:]
            assert last == [
                "s3://demo/sentinel2/santa_cruz.tif.json is as recorded",
                "s3://demo/sentinel2/santa_cruz.tif is as recorded",
            ]
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(60)
    assert demo.returncode == 0
