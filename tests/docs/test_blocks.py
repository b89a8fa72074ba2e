"""Every block of code in the documentation does what its page says."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from stack.bucket import list_keys
from stack.seaweedfs import SeaweedFS
from tests.docs.blocks import BUCKET, Block, blocks, pages
from tests.docs.conftest import DocsRun, in_bucket

pytestmark = pytest.mark.slow

RUN_LANGUAGES = {"python", "bash"}
SHOWN_LANGUAGES = {"json", "text", "console", "ini", "toml"}
PYTHON = [block for block in blocks("python") if block.not_run is None]
SHELL = [block for block in blocks("bash") if block.not_run is None]
LISTINGS = [block for block in blocks("text") if f"s3://{BUCKET}/" in block.code]


def block_id(block: Block) -> str:
    return block.id


@pytest.mark.parametrize("block", PYTHON, ids=block_id)
def test_a_python_block_runs(block: Block, docs_run: DocsRun) -> None:
    error = docs_run.errors.get(block.id, "it was not run to its end")
    log = docs_run.output.split(f"===== {block.id}\n")[-1].split("\n=====")[0]
    assert not error, f"{log[-3000:]}\n{error}"


@pytest.mark.parametrize("block", SHELL, ids=block_id)
def test_a_shell_block_runs(block: Block, docs_run: DocsRun, tmp_path: Path) -> None:
    bucket = docs_run.buckets[block.page]
    ended = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", in_bucket(block.code, bucket)],
        env=dict(docs_run.home.environment), cwd=tmp_path, timeout=240,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout[-3000:]


@pytest.mark.parametrize("block", LISTINGS, ids=block_id)
def test_the_objects_that_a_page_lists_are_there(
    block: Block, docs_run: DocsRun, iam_s3: SeaweedFS
) -> None:
    bucket = docs_run.buckets[block.page]
    listed = set(re.findall(rf"s3://{BUCKET}/(\S+)", block.code))
    assert listed <= set(list_keys(iam_s3.client(), bucket))


@pytest.mark.parametrize("block", blocks("json"), ids=block_id)
def test_a_json_block_is_json(block: Block) -> None:
    json.loads(block.code)


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    skipped = [block for block in blocks("python") + blocks("bash") if block.not_run is not None]
    assert all(len(str(block.not_run)) > 15 for block in skipped)
    assert not [block.id for block in skipped if block.language == "python"]
    assert len(skipped) <= 5, [block.id for block in skipped]


def test_dag_ids_and_dag_files_are_unique() -> None:
    names = Counter(block.dag_file for block in PYTHON if block.dag_file)
    assert max(names.values()) == 1, names


def test_every_block_has_a_language_that_is_known() -> None:
    fence = re.compile(r"^```(.*)$", re.MULTILINE)
    for page in pages():
        opened = fence.findall(page.read_text(encoding="utf-8"))[::2]
        unknown = {info for info in opened if not info.startswith("{")}
        assert unknown <= RUN_LANGUAGES | SHOWN_LANGUAGES, (page.name, unknown)


@pytest.mark.parametrize("block", [block for block in PYTHON if block.dag_file], ids=block_id)
def test_a_dag_file_imports_nothing_heavy_at_its_top(block: Block) -> None:
    heavy = {"ee", "rasterio", "numpy", "boto3", "pystac", "requests"}
    top = ast.parse(block.code).body
    names = {alias.name for node in top if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in top if isinstance(node, ast.ImportFrom)}
    assert not {name.split(".")[0] for name in names} & heavy
