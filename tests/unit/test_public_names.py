"""What users may import, and that nothing else is documented."""

from __future__ import annotations

import importlib
import inspect
import re

import pytest

from airflow_provider.earthengine import exceptions, provider_info
from stack.environment import PROJECT_FOLDER

PACKAGE = "airflow_provider.earthengine"
PUBLIC = {
    "decorators.earthengine_to_s3": {"earthengine_to_s3_task"},
    "emulator.faults": {
        "DAMAGES",
        "ArmedFault",
        "Cut",
        "Damage",
        "Empty",
        "Expire",
        "Fault",
        "Flip",
        "Html",
        "Latency",
        "Refuse",
        "Reset",
        "Stall",
        "Status",
        "UnfiredFaultError",
    },
    "emulator.pytest_plugin": {"earthengine_emulator"},
    "emulator.server": {"Emulator", "serve"},
    "exceptions": {
        "AccessDeniedError",
        "AllMaskedError", "AssetNotFoundError", "BucketNotFoundError",
        "ComputationTooLargeError", "ConnectionConfigError", "DownloadCancelledError",
        "DownloadIdExpiredError", "DownloadParamsError", "EarthEngineProviderError",
        "EmptyImageError", "FetchTimeoutError", "ObjectExistsError", "PermanentError", "PlanError",
        "QuotaExceededError", "RasterMismatchError", "RequestRejectedError",
        "RequestTooLargeError", "ScratchError", "ServiceUnavailableError", "SourceChangedError",
        "SectionsOutdatedError", "StoredObjectMismatchError", "TransientError",
        "TruncatedBodyError",
    },
    "hooks.earthengine": {"DownloadId", "EarthEngineHook", "RetryPolicy"},
    "operators.asset_event": {"EarthEngineAssetEventOperator"},
    "items": {"open_items"},
    "operators.drift": {"EarthEngineDriftOperator"},
    "operators.index_items": {"EarthEngineIndexOperator"},
    "operators.list_due_markers": {"EarthEngineListDueMarkersOperator"},
    "operators.list_images": {"EarthEngineListImagesOperator"},
    "rasters": {"open_raster"},
    "recipes": {
        "downloads_of_events",
        "downloads_of_regions",
        "landsat_scales",
        "mask_by_cloud_score",
        "mask_by_scene_class",
        "mask_landsat_clouds",
        "monthly_median",
        "scale_landsat",
    },
    "sensors.image_collection": {"EarthEngineImageCollectionSensor"},
    "transfers.earthengine_to_s3": {"EarthEngineToS3Operator"},
    "transfers.earthengine_to_s3_group": {"earthengine_to_s3_group"},
    "triggers.image_collection": {"EarthEngineImageCollectionTrigger"},
}  # fmt: skip
# Named by users in a shell, not imported.
PROGRAMS = {"demo", "emulator", "plan"}
# Their pages are the catalog of errors and the page of the emulator.
NOT_IN_REFERENCE = {"emulator.faults", "emulator.pytest_plugin", "emulator.server", "exceptions"}
PRIVATE_ROOMS = ("catalog", "download", "links", "plugins", "task")


def documented() -> list[tuple[str, str]]:
    """Return (page, module path below the package) of each own name in prose, code and autodoc."""
    pages = [PROJECT_FOLDER / "README.md", *sorted((PROJECT_FOLDER / "docs").rglob("*.md"))]
    return [
        (page.name, path)
        for page in pages
        for path in re.findall(
            rf"{re.escape(PACKAGE)}\.([\w.]+\w)", page.read_text(encoding="utf-8")
        )
    ]


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_name_is_there(module: str) -> None:
    found = importlib.import_module(f"{PACKAGE}.{module}")
    assert {name for name in PUBLIC[module] if hasattr(found, name)} == PUBLIC[module]


def test_every_error_is_public() -> None:
    classes = inspect.getmembers(exceptions, inspect.isclass)
    own = {name for name, each in classes if each.__module__ == exceptions.__name__}
    assert own == PUBLIC["exceptions"]


def test_what_airflow_lists_of_the_provider_is_public() -> None:
    info = provider_info.get_provider_info()
    rooms = ("operators", "sensors", "triggers", "hooks")
    listed = {
        module.removeprefix(f"{PACKAGE}.")
        for room in rooms
        for each in info.get(room, [])
        for module in each["python-modules"]
    }
    assert listed
    assert listed <= set(PUBLIC)


def test_the_reference_documents_nothing_private() -> None:
    names = {f"{module}.{name}" for module, names in PUBLIC.items() for name in names}
    allowed = names | set(PUBLIC) | PROGRAMS
    private = [(page, path) for page, path in documented() if path not in allowed]
    # A page may show how a private room is laid out; the reference may not.
    assert [each for each in private if each[0] != "architecture.md"] == []


def test_every_public_class_and_function_is_in_the_reference() -> None:
    reference = "".join(
        page.read_text(encoding="utf-8")
        for page in sorted((PROJECT_FOLDER / "docs/reference").rglob("*.md"))
    )
    undocumented = [
        f"{module}.{name}"
        for module, names in PUBLIC.items()
        for name in names
        if module not in NOT_IN_REFERENCE and f"{PACKAGE}.{module}.{name}" not in reference
    ]
    assert undocumented == []


@pytest.mark.parametrize("room", PRIVATE_ROOMS)
def test_private_rooms_say_so(room: str) -> None:
    doc = importlib.import_module(f"{PACKAGE}.{room}").__doc__
    assert doc is not None
    assert doc.startswith("Private, may change in any release")


def test_triggers_keep_the_path_that_deferred_tasks_hold() -> None:
    from airflow_provider.earthengine.triggers.image_collection import (
        EarthEngineImageCollectionTrigger,
    )

    path, _ = EarthEngineImageCollectionTrigger(
        expression="{}",
        wait={"collection": "A", "min_images": 1, "quiet_seconds": 0.0},
        poll_seconds=60,
        deadline=0.0,
        seen=None,
        earthengine_conn_id="earthengine_default",
    ).serialize()
    assert path == f"{PACKAGE}.triggers.image_collection.EarthEngineImageCollectionTrigger"
