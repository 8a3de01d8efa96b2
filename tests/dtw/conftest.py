"""Both ways to exact costs, on data far smaller than what they are chosen for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", params=["whole frames", "corridors"])
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Costs from all frames, or from those near optimal paths, by bounds too loose to settle anything alone."""
    with pytest.MonkeyPatch.context() as patch:
        few = request.param == "corridors"
        patch.setattr("stgcnlib.dtw.tile_costs.LEAST_FEATURES", 1 if few else 10**9)
        patch.setattr("stgcnlib.dtw.tiles.corridor_dimensions", lambda features: 2)
        yield request.param
