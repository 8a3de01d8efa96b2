"""Experiments: the noise and transfer studies of one study file, as artefacts of its run.

It finds the networks and recordings that the settings mean; the studies themselves are in `stgcnlib.studies`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict
from fnmatch import fnmatchcase
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stgcnlib.errors import StudyError
from stgcnlib.files import fingerprint, fingerprint_file
from stgcnlib.groups import largest_k
from stgcnlib.pipeline.keep import write_table
from stgcnlib.pipeline.recordings import read_recordings
from stgcnlib.pipeline.study import Network, Noise, Transfer
from stgcnlib.sequences import SequenceSet

if TYPE_CHECKING:
    from torch import nn

    from stgcnlib.geometry import Verdict
    from stgcnlib.pipeline.run import StudyRun
    from stgcnlib.skeleton import SkeletonLayout
    from stgcnlib.studies import NoiseResult, TransferResult

__all__ = ["Experiments"]


class Experiments:
    """Compute-or-read access to the noise and transfer studies of a run.

    Args:
        run: the study with its artefacts.
    """

    def __init__(self, run: StudyRun) -> None:
        self.run = run

    def verdicts(self) -> list[tuple[str, Verdict]]:
        """(title, verdict) of each experiment that the study has."""
        study = self.run.study
        found = []
        if study.noise is not None:
            found.append(("Noise", self.noise.verdict()))
        if study.transfer is not None:
            found.append(("Transfer", self.transfer.verdict()))
        return found

    def recordings(self) -> pd.DataFrame:
        """One row per node of the DS-Graphs: node, name, label, class_name, predicted, correct, and its groups."""
        run = self.run
        nodes, evaluation = run.nodes, run.evaluation
        if run.study.graph.part != "test":
            from stgcnlib.training import evaluate

            evaluation = evaluate(run.network, nodes, device=run.study.compute.device)
        predicted = evaluation.predictions
        columns: dict[str, Any] = {
            "node": np.arange(len(nodes)),
            "name": list(nodes.names),
            "label": nodes.labels,
            "class_name": [nodes.class_names[c] for c in nodes.labels],
            "predicted": predicted,
            "correct": predicted == nodes.labels,
        }
        return pd.DataFrame(columns | {f"group {name}": values for name, values in nodes.groups.items()})

    def check(self) -> None:
        """Refuse what could only fail after long work.

        Raises:
            StudyError: naming the field and the mend.
        """
        study, data = self.run.study, self.run.data
        if study.noise is not None:
            from stgcnlib.errors import SequenceError
            from stgcnlib.studies.noise import corrupt

            for kind, level in [*_levels(study.noise), *_trained(study.noise)]:
                try:
                    corrupt(data.select([0]), kind, level)
                except SequenceError as error:
                    raise StudyError(f"noise.{kind.replace(' ', '_')}: {error}") from None
        if study.transfer is not None and study.transfer.source.classes is not None:
            from stgcnlib.errors import SequenceError
            from stgcnlib.studies import split_classes

            try:
                split_classes(data, study.transfer.source.classes)
            except SequenceError as error:
                raise StudyError(f"transfer.source.classes: {error}") from None
        if study.transfer is not None and study.transfer.source.checkpoint is not None:
            self._source_network(study.transfer)

    # -- noise ---------------------------------------------------------------------------------

    @cached_property
    def noise(self) -> NoiseResult:
        """Smoothness and accuracy on noisy test recordings; see `stgcnlib.studies.noise_study`.

        Raises:
            StudyError: the study has no section `noise`.
        """
        from stgcnlib.studies import NoiseResult, noise_study

        run, settings = self.run, self.run.study.noise
        if settings is None:
            raise StudyError("this study has no section 'noise'; add it to the study file")
        study, geometry = run.study, run.study.geometry
        graph = study.graph.model_dump(exclude={"part", "leave_out"})
        key = [run.geometry_key, settings.model_dump(mode="json")]
        runs = run.artefacts.path("noise-runs")

        def make(path: Path) -> None:
            wanted = settings.layers or ("*",)
            known = [layer["name"] for layer in run.layers]
            names = [name for name in known if any(fnmatchcase(name, pattern) for pattern in wanted)]
            made = noise_study(
                run.network, run.nodes, groups=run.groups, resample=run.grouping.resample, unit=run.grouping.unit,
                kinds=list(settings.levels), levels=settings.levels,
                noisy_networks=self._noisy_networks(settings), layers=[name for name in names if name != "input"],
                distances={name: run.distances(name) for name in dict.fromkeys(["input", *names])},
                dtw=study.dtw.model_dump(), bootstrap=geometry.bootstrap, confidence=geometry.confidence,
                axes=study.network.axes, seed=study.seed, folder=runs, device=study.compute.device, **graph,
            )  # fmt: skip
            made.save(path)
            for name, table in (
                ("noise", made.table),
                ("noise_accuracy", made.accuracy),
                ("noise_nodes", made.per_node),
            ):
                write_table(table, run.tables / f"{name}.parquet")

        found = NoiseResult.load(run.artefacts.build("noise", key, make))
        shutil.rmtree(runs, ignore_errors=True)  # only an unfinished study needs them
        return found

    def noise_table(self) -> pd.DataFrame:
        """Loss of smoothness at the last layer and of accuracy, by network, kind and level."""
        from stgcnlib.studies.robustness import shown_level

        result = self.noise
        last = result.table[result.table["index"] == result.table["index"].max()]
        both = last.merge(result.accuracy, on=["network", "kind", "level"], suffixes=("", " of accuracy"))
        return pd.DataFrame(
            {
                "trained on": both["network"],
                "noise": [shown_level(k, v) for k, v in zip(both["kind"], both["level"], strict=True)],
                f"S at {last['title'].iloc[0]}": _with_interval(both, "smoothness", "low", "high", "{:.3f}"),
                "share lost": _with_interval(both, "loss", "loss_low", "loss_high", "{:z.0%}"),
                "accuracy": _with_interval(both, "accuracy", "low of accuracy", "high of accuracy", "{:.0%}"),
                "share of accuracy lost": both["loss of accuracy"].map(lambda v: "" if np.isnan(v) else f"{v:z.0%}"),
            }
        ).set_index("trained on")

    def _noisy_networks(self, settings: Noise) -> dict[str, nn.Module]:
        from stgcnlib.studies.noise import corrupt
        from stgcnlib.studies.robustness import shown_level

        made: dict[str, nn.Module] = {}
        for kind, level in _trained(settings):
            train = corrupt(self.run.parts[0], kind, level, seed=self.run.study.seed + 1)
            name = f"noise-{kind.replace(' ', '-')}-{level:g}.pt"
            key = [self.run.network_key, kind, level]
            made[f"{kind}, {shown_level(kind, level)}"] = self._fitted(name, train, key)
        return made

    # -- transfer ------------------------------------------------------------------------------

    @cached_property
    def transfer(self) -> TransferResult:
        """Fine-tuning with the first blocks frozen; see `stgcnlib.studies.transfer_study`.

        Raises:
            StudyError: the study has no section `transfer`, or its source does not fit.
        """
        from stgcnlib.networks.own import import_path
        from stgcnlib.studies import TransferResult, transfer_study

        run, settings = self.run, self.run.study.transfer
        if settings is None:
            raise StudyError("this study has no section 'transfer'; add it to the study file")
        study = run.study
        measured = [study.dtw.model_dump(), study.graph.model_dump(), study.geometry.model_dump(), study.network.axes]
        key = [measured, settings.model_dump(mode="json"), self._source_key(settings)]  # of all layers, whichever shown
        runs = run.artefacts.path("transfer-runs")

        def make(path: Path) -> None:
            source, train, test = self.transfer_task()
            grouping = run.grouping_of(test)
            fresh = partial(_zoo_network, study.network, test.layout, test.channels, len(test.class_names))
            with import_path(study.network.folder):  # where processes find a network of one's own
                made = transfer_study(
                    source, train, test, frozen=settings.frozen, seeds=settings.seeds,
                    training=settings.training.model_dump(exclude_none=True), fresh=fresh,
                    k=largest_k(study.graph.k, grouping.groups, len(test)), **asdict(grouping),
                    graph=study.graph.model_dump(include={"sigma", "symmetrize", "solver"}),
                    dtw=study.dtw.model_dump(), axes=study.network.axes, seed=study.seed, folder=runs,
                    workers=study.compute.workers, device=study.compute.device,
                    **study.geometry.model_dump(include={"permutations", "bootstrap", "confidence"}),
                )  # fmt: skip
            made.save(path)
            tables = ("runs", made.runs), ("table", made.table), ("smoothness", made.smoothness)
            for name, table in (*tables, ("advice", made.advice().evidence), ("predictions", made.predictions)):
                write_table(table, run.tables / f"transfer_{name}.parquet")

        found = TransferResult.load(run.artefacts.build("transfer", key, make))
        shutil.rmtree(runs, ignore_errors=True)  # only an unfinished study needs them
        return found

    def transfer_task(self) -> tuple[nn.Module, SequenceSet, SequenceSet]:
        """(source network, target's training part, target's test part)."""
        settings = self.run.study.transfer
        if settings is None:
            raise StudyError("this study has no section 'transfer'; add it to the study file")
        split = self.run.study.data.split
        source = self._source_network(settings)
        if settings.source.classes is None:
            return source, *self.run.parts
        from stgcnlib.studies import split_classes

        target = split_classes(self.run.data, settings.source.classes)[1]
        return source, *target.split(split.by, split.train, split.test)

    def transfer_facts(self) -> pd.DataFrame:
        """Source, target and budget, one per row."""
        result, settings = self.transfer, self.run.study.transfer
        assert settings is not None
        source, found = settings.source, result.settings
        if source.classes is not None:
            count = source.classes if isinstance(source.classes, int) else len(source.classes)
            origin = f"{count} of the {len(self.run.data.class_names)} classes of these data"
        else:
            origin = str(source.checkpoint or source.path)
        training = ", ".join(f"{name} {value}" for name, value in found["training"].items())
        facts = {
            "source": origin,
            "target": f"{found['classes']} classes, {found['train_n']} training and {found['n']} test recordings",
            "blocks": str(found["blocks"]),
            "frozen": ", ".join(map(str, found["frozen"])),
            "training of each run": training,
            "runs": f"{len(result.runs)}, {result.runs['seconds'].sum() / 60:.1f} min",
            "seeds": ", ".join(map(str, found["seeds"])),
        }
        return pd.DataFrame({"value": facts})

    def transfer_table(self) -> pd.DataFrame:
        """Accuracy of each method and number of frozen blocks, with intervals."""
        table = self.transfer.table
        names = [m if f < 0 else f"{f} frozen" for m, f in zip(table["method"], table["frozen"], strict=True)]
        return pd.DataFrame(
            {
                "run": names,
                "accuracy": _with_interval(table, "accuracy", "low", "high", "{:.1%}"),
                "sd over seeds": table["seed_sd"].map(lambda v: "" if np.isnan(v) else f"{100 * v:.1f} points"),
                "against tuning all": _with_interval(table, "change", "change_low", "change_high", "{:+.1%}"),
                "parameters trained": table["parameters"].map("{:,}".format),
                "seconds": table["seconds"].map("{:.1f}".format),
            }
        ).set_index("run")

    def advice_table(self) -> pd.DataFrame:
        """What the advice on freezing rests on, one row per number of frozen blocks."""
        evidence = self.transfer.advice().evidence
        return pd.DataFrame(
            {
                "frozen": evidence["frozen"],
                "accuracy": evidence["accuracy"].map("{:.1%}".format),
                "behind": [f"{100 * v:.1f} points" for v in evidence["behind"]],
                "standard error": [f"{100 * v:.1f} points" for v in evidence["standard_error"]],
                "as good": evidence["as_good"].map({True: "yes", False: "no"}),
                "smoothness": evidence["smoothness"].map("{:.3f}".format),
            }
        ).set_index("frozen")

    def _source_network(self, settings: Transfer) -> nn.Module:
        run, source = self.run, settings.source
        if source.checkpoint is not None:
            layout, channels = run.data.layout, run.data.channels
            return _zoo_network(run.study.network, layout, channels, None, checkpoint=source.checkpoint)
        if source.classes is not None:
            from stgcnlib.studies import split_classes

            split = run.study.data.split
            train = split_classes(run.data, source.classes)[0].split(split.by, split.train, split.test)[0]
        else:
            train = self._other_data(settings)
        return self._fitted("transfer-source.pt", train, self._source_key(settings))

    def _other_data(self, settings: Transfer) -> SequenceSet:
        """The training part of another data set on the same skeleton."""
        source, split = settings.source, settings.source.split or self.run.study.data.split
        assert source.path is not None
        other = {"path": source.path, "format": source.format, "split": split}
        data = read_recordings(self.run.study.data.model_copy(update=other), seed=self.run.study.seed)
        if data.layout != self.run.data.layout or data.channels != self.run.data.channels:
            raise StudyError(
                f"transfer.source.path: recordings on {data.layout.name!r} with {data.channels} channels, the study's "
                f"are on {self.run.data.layout.name!r} with {self.run.data.channels}; a transfer needs the same"
            )
        return data.split(split.by, split.train, split.test)[0]

    def _source_key(self, settings: Transfer) -> list[Any]:
        source, files = settings.source, []
        if source.path not in (None, "demo"):
            root = Path(str(source.path))
            found = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file())
            files = [[str(p), p.stat().st_size, p.stat().st_mtime_ns] for p in found]
        checkpoint = fingerprint_file(source.checkpoint) if source.checkpoint else None
        return [self.run.network_key, source.model_dump(mode="json"), fingerprint(files), checkpoint]

    # -- networks ------------------------------------------------------------------------------

    def _fitted(self, name: str, train: SequenceSet, key: Any) -> nn.Module:
        """A network trained as the study says, on other recordings."""
        from stgcnlib.networks import save_checkpoint

        run = self.run
        make: Callable[[], nn.Module] = lambda: run.fitted(train, None, key=key)[0]  # noqa: E731
        classes = len(train.class_names)
        network: nn.Module = run.artefacts.keep(
            name, key, make, lambda path: run.load_network(checkpoint=path, classes=classes), save_checkpoint
        )
        shutil.rmtree(run.artefacts.path("training"), ignore_errors=True)
        return network


def _zoo_network(
    settings: Network,
    layout: SkeletonLayout,
    channels: int,
    classes: int | None,
    *,
    checkpoint: str | None = None,
    seed: int | None = None,
) -> nn.Module:
    """A network of the study's kind; with a checkpoint, for the classes that it has."""
    from stgcnlib.networks import load_network
    from stgcnlib.networks.own import import_path

    options: dict[str, Any] = dict(settings.options)
    with import_path(settings.folder):
        return load_network(
            settings.name, layout=layout, classes=classes, channels=channels, checkpoint=checkpoint, seed=seed,
            **options,
        )  # fmt: skip


def _levels(settings: Noise) -> list[tuple[str, float]]:
    return [(kind, float(level)) for kind, levels in settings.levels.items() for level in levels]


def _trained(settings: Noise) -> list[tuple[str, float]]:
    return [(kind.replace("_", " "), float(level)) for kind, level in settings.train.items()]


def _with_interval(table: pd.DataFrame, value: str, low: str, high: str, form: str) -> list[str]:
    return [
        "" if np.isnan(v) else f"{form.format(v)} ({form.format(a)} to {form.format(b)})"
        for v, a, b in zip(table[value], table[low], table[high], strict=True)
    ]
