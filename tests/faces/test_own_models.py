"""A site's own embedder: taken in only as it was described, and never mistaken for another."""

from __future__ import annotations

import os
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402 - after the check that it is here

from edge.bench.evaluate.own_model import save_calibration  # noqa: E402
from edge.cli.models import models  # noqa: E402
from edge.errors import ConfigError, EvaluationRefused, InstallError, ModelMissing  # noqa: E402
from edge.faces.embedder import load_embedder  # noqa: E402
from edge.faces.manifest import OWN_MODELS_FILE, load_manifest, own_models  # noqa: E402
from edge.faces.own import OwnModel, add_model, remove_model  # noqa: E402
from edge.faces.weights import checked  # noqa: E402
from edge.matcher.calibration import Calibration, calibration_of  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

CALIBRATION = Calibration("made up", 400, 79_800, 90_000, 0.35, 1e-3, 0.03, 0.04, 1.2, 0.05)


def network(side: int = 112, layout: str = "nchw", dim: int = 8) -> bytes:
    """Return a graph that answers with the first `dim` values of each channel's mean and row sums."""
    shape = [1, 3, side, side] if layout == "nchw" else [1, side, side, 3]
    size = 3 * side * side
    weights = np.random.default_rng(1).standard_normal((size, dim)).astype(np.float32) / size
    nodes = [
        helper.make_node("Flatten", ["input"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "own",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, dim])],
        [numpy_helper.from_array(weights, "weights")],
    )
    opsets = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FACEGATE_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


def saved(folder: Path, content: bytes) -> tuple[str, str]:
    path = folder / "own.onnx"
    path.write_bytes(content)
    return str(path), sha256(content).hexdigest()


def test_what_was_added_is_read_again_and_sees(store: Path, tmp_path: Path) -> None:
    origin, digest = saved(tmp_path, network(dim=8))
    wish = OwnModel("ours", digest, colour="bgr", subtract=127.5, divide=128.0, training='"quoted"\nand more')

    added = add_model(wish, origin, report=lambda _line: None)

    model = load_manifest().model("ours")
    assert model == added
    assert (model.dim, model.layout, model.colour, model.is_own) == (8, "nchw", "bgr", True)
    assert "sface" in load_manifest().models
    chip = np.random.default_rng(2).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    embedder = load_embedder("ours")
    assert np.linalg.norm(embedder.embed_aligned([chip])[0]) == pytest.approx(1, abs=1e-5)
    points = np.array([(38, 52), (74, 52), (56, 72), (42, 92), (71, 92)], np.float32)
    assert embedder.probe(chip, points).feature_norm is None, "nobody said what its length means"


def test_a_network_is_fed_as_the_site_says(store: Path, tmp_path: Path) -> None:
    """The same weights in both layouts: only the order of the values differs."""
    chip = np.random.default_rng(2).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    for layout in ("nchw", "nhwc"):
        origin, digest = saved(tmp_path, network(layout=layout))
        name = f"own-{layout}"
        add_model(OwnModel(name, digest, colour="bgr", subtract=100.0, divide=50.0), origin, report=print)
        values = (chip.astype(np.float32) - 100.0) / 50.0
        values = values.transpose(2, 0, 1) if layout == "nchw" else values
        weights = numpy_helper.to_array(onnx.load_from_string(network(layout=layout)).graph.initializer[0])
        wanted = values.reshape(-1) @ weights
        found = load_embedder(name).embed_aligned([chip])[0]
        assert found == pytest.approx(wanted / np.linalg.norm(wanted), abs=1e-4)


def test_an_aligner_of_another_size_is_named_and_works(store: Path, tmp_path: Path) -> None:
    origin, digest = saved(tmp_path, network(side=160))
    with pytest.raises(InstallError, match="try --aligner arcface160"):
        add_model(OwnModel("ours", digest), origin, report=print)
    assert not own_models()
    assert (
        add_model(OwnModel("ours", digest, aligner="arcface160"), origin, report=print).aligner
        == "arcface160"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "0" * 64}, "not the file that was asked for"),
        ({"sha256": "abc"}, "not a SHA-256"),
        ({"name": "sface"}, "called 'sface' already"),
        ({"name": "../up"}, "is refused: small letters"),
        ({"aligner": "arcface9999"}, "no aligner is called"),
    ],
)
def test_what_is_wrong_is_refused_and_changes_nothing(
    store: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    origin, digest = saved(tmp_path, network())
    with pytest.raises(InstallError, match=message):
        add_model(replace(OwnModel("ours", digest), **change), origin, report=print)
    assert not (store / OWN_MODELS_FILE).exists()


def test_a_file_that_is_no_network_is_refused(store: Path, tmp_path: Path) -> None:
    origin, digest = saved(tmp_path, b"no graph")
    with pytest.raises(InstallError, match=r"ours: .*cannot be opened by onnxruntime"):
        add_model(OwnModel("ours", digest), origin, report=print)


def test_while_it_is_not_calibrated_it_is_refused_by_name_and_then_it_is_not(
    store: Path, tmp_path: Path
) -> None:
    origin, digest = saved(tmp_path, network(dim=2))
    model = add_model(OwnModel("ours", digest), origin, report=print)
    with pytest.raises(ConfigError, match=r"'ours' is not calibrated.*evaluate calibrate --model ours"):
        calibration_of("ours", model.calibration)

    said = save_calibration(model, [0.1, 0.2], CALIBRATION)

    model = load_manifest().model("ours")
    assert calibration_of("ours", model.calibration) == CALIBRATION
    assert model.centre == (0.1, 0.2)
    assert 'recognition.model = "ours"' in said
    with pytest.raises(EvaluationRefused, match="would have to come again"):
        save_calibration(model, [0.1, 0.3], CALIBRATION)


def test_the_calibration_of_a_shipped_model_is_not_overwritten(store: Path) -> None:
    with pytest.raises(EvaluationRefused, match="came with facegate"):
        save_calibration(load_manifest().model("sface"), [], CALIBRATION)


def test_whatever_changes_an_embedding_changes_the_id_so_templates_never_meet(
    store: Path, tmp_path: Path
) -> None:
    origin, digest = saved(tmp_path, network())
    model = add_model(OwnModel("ours", digest), origin, report=print)
    changed = [
        replace(model, colour="bgr"),
        replace(model, layout="nhwc"),
        replace(model, subtract=1.0),
        replace(model, divide=2.0),
        replace(model, centre=(0.0,) * 8),
    ]
    assert len({one.model_id for one in (model, *changed)}) == 6


@pytest.mark.parametrize(
    "text",
    ["[models", '[models.sface]\nrole = "embedder"', '[models.x]\nfile = "../x"', "\0"],
)
def test_a_damaged_list_takes_only_the_sites_own_away(store: Path, text: str) -> None:
    store.mkdir(parents=True)
    (store / OWN_MODELS_FILE).write_text(text)
    manifest = load_manifest()
    assert manifest.model("sface").sha256.startswith("f75cff04")
    with pytest.raises(InstallError, match=OWN_MODELS_FILE):
        manifest.model("ours")


@pytest.mark.parametrize("name", ["模型" * 60, "a" * 300, "file/models"])
def test_a_folder_that_cannot_be_looked_into_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("FACEGATE_MODELS", str(tmp_path / name))
    model = load_manifest().model("sface")
    with pytest.raises(ModelMissing):
        checked(model)


def test_a_list_that_redefines_a_shipped_model_is_not_taken(store: Path, tmp_path: Path) -> None:
    origin, digest = saved(tmp_path, network())
    add_model(OwnModel("ours", digest), origin, report=print)
    path = store / OWN_MODELS_FILE
    path.write_text(path.read_text().replace('"ours"', '"sface"'))
    assert "may not redefine sface" in load_manifest().trouble
    assert not load_manifest().model("sface").is_own


def test_removing_takes_the_file_away(store: Path, tmp_path: Path) -> None:
    origin, digest = saved(tmp_path, network())
    model = add_model(OwnModel("ours", digest), origin, report=print)
    remove_model("ours")
    assert not (store / model.file).exists()
    with pytest.raises(InstallError, match="no model called 'ours'"):
        remove_model("ours")


def test_the_command_adds_lists_and_removes(store: Path, tmp_path: Path) -> None:
    origin, digest = saved(tmp_path, network())
    run = CliRunner().invoke
    added = run(models, ["add", origin, "--sha256", digest.upper(), "--kind", "embedder", "--colour", "bgr"])
    assert "own: added" in added.output
    assert "facegate evaluate calibrate --model own --images FOLDER --save" in added.output
    assert "not calibrated: no door uses it" in run(models, ["list"]).output
    assert "training: not stated" in run(models, ["list", "--long"]).output
    assert "removed" in run(models, ["remove", "own"]).output


@pytest.mark.models
def test_a_network_of_a_package_becomes_the_sites_model(store: Path) -> None:
    """The packaged fr_feature.onnx, wherever somebody has unpacked it: `FACEGATE_FR_FEATURE` names it."""
    origin = os.environ.get("FACEGATE_FR_FEATURE")
    if not origin:
        pytest.skip("FACEGATE_FR_FEATURE does not name fr_feature.onnx")
    wish = OwnModel(
        "fr-feature",
        "87aacdfe57510db2af90c0251df680e8eec88f122ee94712121d09bcaaaf3581",
        subtract=127.0,
        divide=128.0,
    )
    assert add_model(wish, origin, report=print).dim == 512
