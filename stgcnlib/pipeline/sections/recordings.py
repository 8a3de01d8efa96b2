"""The section `data` of a study, and those within it: where recordings come from, how they are prepared and split."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from stgcnlib.pipeline.fields import Number, Section, Whole

__all__ = ["Data", "Demo", "SensorDemo", "Split", "Windows", "read_with"]


def read_with(path: str) -> tuple[str, ...]:
    """Absolute paths of files that are read along with an absolute path of recordings; none for a name like "demo"."""
    if not Path(path).is_absolute():
        return ()
    from stgcnlib.readers.companions import companions  # readers are slow to import, and seldom needed here

    return tuple(str(file) for file in companions(path))


class Demo(Section):
    """Size of the embedded data set; used with ``path: demo``.

    Args:
        subjects: number of people.
        repeats: number of recordings of each action by each person.
        noise: standard deviation of the sensor noise, in metres.
    """

    subjects: Whole = Field(8, ge=2)
    repeats: Whole = Field(4, ge=1)
    noise: Number = Field(0.01, ge=0)


class SensorDemo(Section):
    """Size of the generated sensor network; used with ``path: sensor-demo``.

    Args:
        sensors: number of sensors.
        days: number of days of 96 frames.
        noise: standard deviation of the measurement, in multiples of the signal's.
    """

    sensors: Whole = Field(20, ge=6)
    days: Whole = Field(24, ge=1)
    noise: Number = Field(0.15, ge=0)


class Windows(Section):
    """How long series are cut into recordings with a real target: `stgcnlib.transforms.windows`.

    The target is the mean of one channel over some joints in the frames after a window.

    Args:
        length: frames of a window.
        stride: frames from the begin of one window to that of the next.
        horizon: frames after a window whose mean is its target.
        block: frames of a block of time, a day say; windows of one block are no neighbours of each other.
        joints: over which the mean is taken, by index or name.
        channel: number of the channel of which the mean is taken, from 0.
    """

    length: Whole = Field(24, ge=1)
    stride: Whole = Field(8, ge=1)
    horizon: Whole = Field(1, ge=1)
    block: Whole | None = Field(None, ge=2)
    joints: tuple[Whole | str, ...] | None = Field(None, min_length=1)
    channel: Whole = Field(0, ge=0)


class Split(Section):
    """Which recordings train and which test, by the values of one group.

    Args:
        by: name of the group, such as subject or trial.
        train: values of the group whose recordings are the training part.
        test: values of the group whose recordings are the test part.
    """

    by: str = "subject"
    train: tuple[Whole | str, ...] = Field((1, 3, 5, 7), min_length=1)
    test: tuple[Whole | str, ...] | None = Field(None, min_length=1)


class Data(Section):
    """Recordings: where they are, how they are prepared and split.

    Args:
        path: file or folder of the recordings; or `demo` or `sensor-demo`, which are generated.
        format: format of the recordings, such as `ntu-rgb+d`; docs/formats.md lists them.
        normalize: whether bodies are centred, set upright, turned to the front and scaled to a trunk of length 1.
        centre: what is centred: the path of the body as a whole (`sequence`), or every frame by itself.
        published: names of the preparations that a checkpoint expects, in place of `normalize`, such as `ntu`;
            docs/formats.md lists them.
        skip: file that lists recordings to leave out, one name per line.
        layout: layout of the joints, by name or as a YAML file, for data that do not contain it.
        pattern: what the paths of your own tables say, such as '{subject}/{label}_{trial}.csv'.
        names: file of the recordings' names, one per line, for data that do not contain them.
        classes: names of the classes whose recordings are used, empty for all; classes keep their numbers.
        drop_duplicates: whether test recordings with exactly the numbers of a training recording are left out, and in
            each part all but one of equal recordings.
        frame_step: every how many frames one is kept, from the first on; 1 keeps all.
        target: what the network predicts for a recording: its class, or a real value.
        windows: how each recording, a long series, is cut into many short ones with a real value.
        demo: size of the embedded data set.
        sensor_demo: size of the generated sensor network.
        split: which recordings train and which test; None: all are in the test part, as is the default for a network
            from a checkpoint.
    """

    path: str = "demo"
    format: str | None = None
    normalize: bool = True
    centre: Literal["sequence", "frame"] = "sequence"
    published: tuple[str, ...] = ()
    skip: str | None = None
    layout: str | None = None
    pattern: str | None = None
    names: str | None = None
    classes: tuple[str, ...] = ()
    drop_duplicates: bool = False
    frame_step: Whole = Field(1, ge=1)
    target: Literal["class", "value"] = "class"
    windows: Windows | None = None
    demo: Demo | None = None
    sensor_demo: SensorDemo | None = None
    split: Split | None = Split()

    @property
    def beside(self) -> tuple[str, ...]:
        """Absolute paths of what is read with `path` and lies outside of it, such as labels beside a file."""
        return read_with(self.path)

    @model_validator(mode="before")
    @classmethod
    def _demo_size(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        if given.get("path") == "sensor-demo" and given.get("sensor_demo") is None:
            given = {**given, "sensor_demo": {}}
        if given.get("path", "demo") == "demo":
            return {**given, "demo": {}} if given.get("demo") is None else given
        if given.get("demo") == Demo().model_dump():
            return {**given, "demo": None}  # older versions wrote this for studies of other data
        return given

    @model_validator(mode="after")
    def _classes_of_classes(self) -> Data:
        if self.classes and self.target != "class":
            raise ValueError("classes are named, but data.target is value; leave data.classes out, or set it to class")
        return self

    @field_validator("demo")
    @classmethod
    def _demo_only(cls, demo: Demo | None, info: ValidationInfo) -> Demo | None:
        if demo is not None and info.data.get("path") != "demo":
            raise ValueError("only for path: demo; remove it, or set the path to demo")
        return demo

    @field_validator("sensor_demo")
    @classmethod
    def _sensors_only(cls, sensors: SensorDemo | None, info: ValidationInfo) -> SensorDemo | None:
        if sensors is not None and info.data.get("path") != "sensor-demo":
            raise ValueError("only for path: sensor-demo; remove it, or set the path to sensor-demo")
        if sensors is not None and info.data.get("windows") is None:
            raise ValueError("is one long series; give windows to cut it")
        return sensors

    @field_validator("windows")
    @classmethod
    def _of_values(cls, windows: Windows | None, info: ValidationInfo) -> Windows | None:
        if windows is not None and info.data.get("target") != "value":
            raise ValueError("windows have no classes; set data.target to value")
        return windows
