import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider.earthengine.download.plan.grid import PixelGrid

GRID = PixelGrid("EPSG:32610", (20.0, 0.0, 581260.0, 0.0, -20.0, 4101800.0), 105, 86)


def test_a_corner_is_where_the_affine_transform_puts_it() -> None:
    assert GRID.corner(0, 0) == (581260, 4101800)
    assert GRID.corner(105, 86) == (581260 + 105 * 20, 4101800 - 86 * 20)


def test_an_outline_is_a_closed_ring_through_all_four_corners() -> None:
    ring = GRID.outline(points_per_side=3)
    assert ring[0] == ring[-1]
    assert len(ring) == 4 * 3 + 1
    for corner in ((0, 0), (105, 0), (105, 86), (0, 86)):
        assert GRID.corner(*corner) in ring


@given(
    st.integers(-10_000, 10_000),
    st.integers(-10_000, 10_000),
    st.sampled_from([(10.0, 0.0, 0.0, -10.0), (30 / 111319.5, 0.0, 0.0, -30 / 111319.5),
                     (7.0, 3.0, 2.0, -9.0)]),
)  # fmt: skip
def test_a_grid_moved_by_whole_pixels_is_on_the_same_lattice(
    columns: int, rows: int, terms: tuple[float, float, float, float]
) -> None:
    a, b, d, e = terms
    at_home = (a, b, 500.0, d, e, -700.0)
    x, y = PixelGrid("", at_home, 1, 1).corner(columns, rows)
    assert PixelGrid("", (a, b, x, d, e, y), 1, 1).is_on_lattice_of(at_home)
    x, y = PixelGrid("", at_home, 1, 1).corner(columns + 0.5, rows)
    assert not PixelGrid("", (a, b, x, d, e, y), 1, 1).is_on_lattice_of(at_home)


@pytest.mark.parametrize(
    ("other", "close"),
    [
        (GRID, True),
        (PixelGrid("EPSG:32610", (20.0, 0.0, 581260.000001, 0.0, -20.0, 4101800.0), 105, 86), True),
        (PixelGrid("EPSG:32610", (20.0, 0.0, 581280.0, 0.0, -20.0, 4101800.0), 105, 86), False),
        (PixelGrid("EPSG:32610", (20.0, 0.0, 581270.0, 0.0, -20.0, 4101800.0), 105, 86), False),
        (PixelGrid("EPSG:32610", (10.0, 0.0, 581260.0, 0.0, -10.0, 4101800.0), 105, 86), False),
        (PixelGrid("EPSG:32610", (20.0, 0.0, 581260.0, 0.0, -20.0, 4101800.0), 105, 87), False),
    ],
)  # fmt: skip
def test_grids_are_close_when_every_pixel_is_the_same(other: PixelGrid, close: bool) -> None:
    assert other.is_close_to(GRID) is close


def test_an_outline_is_split_at_the_antimeridian() -> None:
    across = PixelGrid("EPSG:32601", (1000.0, 0.0, 100_000.0, 0.0, -1000.0, 5_000_000.0), 200, 100)
    outline = across.outline_in("EPSG:4326")
    assert outline is not None
    assert outline["type"] == "MultiPolygon"


@pytest.mark.parametrize(
    "grid",
    [
        PixelGrid("EPSG:32610", (10.0, 0.0, 1e12, 0.0, -10.0, 1e12), 60, 20),
        PixelGrid("EPSG:32610", (10.0, 0.0, 1e8, 0.0, -10.0, 1e8), 60, 20),
        PixelGrid("SR-ORG:7619", (463.0, 0.0, -8895604.0, 0.0, -463.0, 5559752.0), 60, 20),
    ],
    ids=["beyond the projection", "far beyond it", "a crs that PROJ does not know"],
)
def test_an_outline_without_a_place_in_degrees_is_none(grid: PixelGrid) -> None:
    assert grid.outline_in("EPSG:4326") is None
