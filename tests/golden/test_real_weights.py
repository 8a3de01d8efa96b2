"""Really trained networks name real recordings, straight from the files through reader, preparation and zoo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rounding import in_double

import stgcnlib
from stgcnlib import transforms
from stgcnlib.training import try_preparations
from stgcnlib.training.preparations import preparation_advice


@pytest.fixture(scope="module")
def weights_folder(golden_folder: Path) -> Path:
    folder = golden_folder.parent / "weights"
    if not folder.is_dir():
        pytest.skip(f"no trained weights at {folder}")
    return folder


def test_shift_gcn_names_all_nine(data_folder: Path, golden_folder: Path, weights_folder: Path) -> None:
    network = in_double(
        stgcnlib.load_network("auto", layout="ntu-rgb+d", checkpoint=weights_folder / "ntu_ShiftGCN_joint_xview.pt")
    )
    data = transforms.published(stgcnlib.read(data_folder / "ntu_samples"), "ntu")
    found = stgcnlib.evaluate(network, data)
    golden = np.load(golden_folder / "shiftgcn_ntu_xview.npz", allow_pickle=False)
    assert list(data.names) == [str(name) for name in golden["names"]]
    np.testing.assert_allclose(found.logits, golden["logits"], atol=1e-4)  # the file is float32
    np.testing.assert_array_equal(found.predictions, data.labels)


def test_efficientgcn_names_eight_of_nine(data_folder: Path, weights_folder: Path) -> None:
    network = stgcnlib.load_network(
        "auto", layout="ntu-rgb+d", checkpoint=weights_folder / "efficientgcn_b0_ntu_xsub.state_dict.pt"
    )
    data = transforms.published(stgcnlib.read(data_folder / "ntu_samples"), "efficientgcn")
    assert (stgcnlib.evaluate(network, data).predictions == data.labels).sum() >= 8


@pytest.mark.parametrize(
    ("weights", "published"),
    [("ntu_ShiftGCN_joint_xview.pt", "ntu"), ("efficientgcn_b0_ntu_xsub.state_dict.pt", "efficientgcn")],
)
def test_published_weights_say_which_preparation_they_want(
    data_folder: Path, weights_folder: Path, weights: str, published: str
) -> None:
    network = stgcnlib.load_network("auto", layout="ntu-rgb+d", checkpoint=weights_folder / weights)
    table = try_preparations(network, stgcnlib.read(data_folder / "ntu_samples"), given="normalize: true")
    assert f"This looks like another preparation: with data.published: [{published}]" in preparation_advice(table)
