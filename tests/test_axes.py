"""Axis strings: every way in which an output may lie gives the same features, and wrong ones are caught by shape."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from stgcnlib.activations import find_layers, record
from stgcnlib.activations.axes import Sizes, arranged, parse
from stgcnlib.errors import AxesError, LayerNotFoundError
from stgcnlib.explain import grad_cam, grad_cam_set
from stgcnlib.explain.keep import load_relevance, save_relevance
from stgcnlib.sequences import SequenceSet

V, C = 20, 5


class Turn(nn.Module):
    """Lays a tensor (N, M, C, T, V) as an axis string says."""

    def __init__(self, axes: str) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, x: Tensor) -> Tensor:
        letters = "".join(parse(self.axes))
        if pooled := [k for k, letter in enumerate("NMCTV") if letter not in letters]:
            x = x.mean(dim=pooled)
        kept = [letter for letter in "NMCTV" if letter in letters]
        x = x.permute([kept.index(letter) for letter in letters])
        for place, group in enumerate(parse(self.axes)):
            x = x.flatten(place, place + len(group) - 1)
        return x


class Stranger(nn.Module):
    """A network that knows nothing of this library: one mixing step, laid in some way, and a head."""

    def __init__(self, axes: str, *, seed: int = 0, stride: int = 1) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.mix = nn.Conv2d(3, C, (3, 1), padding=(1, 0), stride=(stride, 1))
        self.blocks = nn.ModuleList([nn.Sequential(Turn(axes)), nn.Sequential(nn.Identity(), nn.Identity())])
        self.head = nn.Linear(C, 3)

    def forward(self, x: Tensor) -> Tensor:
        N, _, _, _, M = x.shape
        y = self.mix(x.permute(0, 4, 1, 2, 3).flatten(0, 1)).unflatten(0, (N, M)).relu()
        laid = self.blocks[1](self.blocks[0](y))
        letters = parse(self.blocks[0][0].axes)
        sizes = dict(zip("NMCTV", y.shape, strict=True))
        flat = laid.reshape([sizes[letter] for group in letters for letter in group])
        joined = "".join(letters)
        flat = flat.mean(dim=[joined.index(letter) for letter in joined if letter not in "NC"])
        return self.head(flat if joined.index("N") < joined.index("C") else flat.T)


@pytest.fixture
def pairs(rng: np.random.Generator) -> SequenceSet:
    """Two recordings of two people and one of one person, of different length."""
    coords = [rng.normal(size=(2, 12, V, 3)), rng.normal(size=(2, 9, V, 3)), rng.normal(size=(9, V, 3))]
    return SequenceSet(coords, labels=[0, 1, 2], layout="kinect-v1")


FULL = ["(NM)CTV", "(MN)CTV", "NMCTV", "NCTVM", "(NM)TVC", "TVC(NM)", "N(MVC)T", "(NMT)VC", "(NMV)CT", "NTMVC"]


@pytest.mark.parametrize("axes", FULL)
def test_features_do_not_depend_on_how_they_lie(pairs: SequenceSet, axes: str) -> None:
    expected = record(Stranger("NMCTV"), pairs, layers=["blocks.0"], axes="NMCTV")["blocks.0"]
    got = record(Stranger(axes), pairs, layers=["blocks.0"], axes=axes)["blocks.0"]
    assert (got.joints, got.channels) == (expected.joints, expected.channels) == (V, 2 * C)
    for i in range(len(pairs)):
        np.testing.assert_allclose(got.sequence(i), expected.sequence(i), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("axes", FULL)
def test_relevance_does_not_depend_on_how_features_lie(pairs: SequenceSet, axes: str) -> None:
    expected = grad_cam(Stranger("NMCTV"), pairs.coords[0], layers=["blocks.0"], axes="NMCTV", target=1)["blocks.0"]
    got = grad_cam(Stranger(axes), pairs.coords[0], layers=["blocks.0"], axes=axes, target=1)["blocks.0"]
    assert got.values.shape == (2, 12, V)
    assert expected.values.max() > 0
    np.testing.assert_allclose(got.values, expected.values, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(("axes", "joints"), [("NCTV", V), ("NTVC", V), ("NCT", 1), ("TNC", 1), ("(NM)CT", 1)])
def test_axes_that_a_layer_no_longer_has(pairs: SequenceSet, axes: str, joints: int, tmp_path) -> None:
    network = Stranger(axes, stride=2)
    store = record(network, pairs, layers="blocks.0", axes=axes)
    layer = store["blocks.0"]
    people = 2 if "M" in axes else 1
    assert (layer.joints, layer.channels, layer.temporal_stride) == (joints, C * people, 2)
    full = Stranger("NMCTV", stride=2)(torch.from_numpy(pairs.people(1).transpose(3, 1, 2, 0)[None].copy()))
    assert full.shape == (1, 3)
    maps = grad_cam_set(network, pairs, layers="blocks.0", axes=axes)
    for i, found in enumerate(maps):
        M, T = pairs.people(i).shape[:2]
        values = found["blocks.0"].values
        assert values.shape == (M, T, V)
        assert joints == V or np.ptp(values, axis=2).max() == 0
        assert "M" in axes or np.ptp(values, axis=0).max() == 0
    save_relevance(tmp_path / "maps.npz", maps)
    for before, after in zip(maps, load_relevance(tmp_path / "maps.npz"), strict=True):
        np.testing.assert_array_equal(after["blocks.0"].values, before["blocks.0"].values)
        np.testing.assert_array_equal(after["blocks.0"].raw, before["blocks.0"].raw)


def test_axes_by_pattern_by_attribute_and_by_default(pairs: SequenceSet) -> None:
    network = Stranger("NCTVM")
    assert [la.axes for la in find_layers(network, ["blocks.0", "mix"])] == ["(NM)CTV"] * 2
    network.layer_axes = {"blocks.*": "NCTVM"}
    assert {la.name: la.axes for la in find_layers(network, ["blocks.0", "mix"])} == {
        "mix": "(NM)CTV", "blocks.0": "NCTVM",
    }  # fmt: skip
    assert find_layers(network, "blocks.0", axes={"blocks.[01]": "NMCTV"})[0].axes == "NMCTV"
    store = record(network, pairs, layers=["mix", "blocks.0"])
    np.testing.assert_allclose(store["mix"].sequence(0).clip(0), store["blocks.0"].sequence(0))
    with pytest.raises(AxesError, match=r"axes: Stranger has no layer 'block\.\*'; did you mean 'blocks"):
        find_layers(network, "blocks.0", axes={"block.*": "NMCTV"})


def test_a_star_stands_for_one_part_of_a_name() -> None:
    network = Stranger("NMCTV")
    assert [la.name for la in find_layers(network, "blocks.*")] == ["blocks.0", "blocks.1"]
    assert [la.name for la in find_layers(network, "blocks.*.*")] == ["blocks.0.0", "blocks.1.0", "blocks.1.1"]
    assert [la.name for la in find_layers(network, "b*.1.1")] == ["blocks.1.1"]
    assert [la.name for la in find_layers(network, "*s*0.0")] == ["blocks.0.0"]


@pytest.mark.parametrize(
    ("true", "said", "message"),
    [
        (
            "NCTV",
            "NTVC",
            r"layer 'blocks\.0' puts out \(1, 5, 9, 20\), which is not 'NTVC': V cannot be 9 .*axes='NCTV'",
        ),
        ("NTVC", "NCTV", r"\(1, 9, 20, 5\), which is not 'NCTV': V cannot be 5 .*'NTVC'"),
        ("NMCTV", "NCTV", r"it has 5 axes .*'NMCTV'"),
        ("TNVC", "NTVC", r"N cannot be 9 .*'TNVC'"),
        ("NCT", "NCTV", r"it has 3 axes .*'NCT'"),
        ("NCTVM", "NMCTV", r"M cannot be 5 \(a batch of N = 1 recordings, M = 2 people, T = 9 .*'NCTVM'"),
        ("(NM)CTV", "NCTV", r"N cannot be 2 .*'\(NM\)CTV'"),
    ],
)
def test_wrong_axes_are_caught_by_shape(rng, true: str, said: str, message: str) -> None:
    data = SequenceSet([rng.normal(size=(2, 9, V, 3))], layout="kinect-v1")
    for use in (record, grad_cam_set):
        with pytest.raises(AxesError, match=message):
            use(Stranger(true), data, layers="blocks.0", axes=said)


def test_channels_and_frames_confused_are_caught_by_length(pairs: SequenceSet) -> None:
    with pytest.raises(
        AxesError, match=r"layer 'blocks\.0', read as axes 'NTCV', has \d+ channels for one recording and \d+ for"
    ):
        record(Stranger("NCTV"), pairs, layers="blocks.0", axes="NTCV")


@pytest.mark.parametrize(
    "axes", ["", "CTV", "NCTVX", "NCCTV", "N(CT)V", "(NM", "nctv", "N C T V", "((NM))CTV", "N-CTV"]
)
def test_texts_that_are_no_axis_strings(axes: str) -> None:
    with pytest.raises(AxesError, match=r"is no axis string; write each of N"):
        find_layers(Stranger("NCTV"), "blocks.0", axes=axes)
    assert issubclass(AxesError, LayerNotFoundError)


@given(data=st.data())
def test_arranging_undoes_any_order_and_grouping(data: st.DataObject) -> None:
    sizes = {letter: data.draw(st.integers(1, 4), label=letter) for letter in "NMCTV"}
    letters = data.draw(st.permutations("NMCTV"))
    groups: list[str] = []
    for letter in letters:
        if groups and data.draw(st.booleans()) and not ({"C", "T"} <= {letter, *groups[-1]}):
            groups[-1] += letter
        else:
            groups.append(letter)
    axes = "".join(f"({g})" if len(g) > 1 else g for g in groups)
    canonical = torch.arange(math.prod(sizes.values())).reshape([sizes[letter] for letter in "NMCTV"])
    laid = canonical.permute(["NMCTV".index(letter) for letter in letters])
    laid = laid.reshape([math.prod(sizes[letter] for letter in group) for group in groups])
    batch = Sizes(N=sizes["N"], M=sizes["M"], V=sizes["V"], T=sizes["T"])
    assert torch.equal(arranged(laid, axes, batch, name="layer"), canonical)
