"""The graph built from the weights computes what the network computes."""

from __future__ import annotations

import cv2
import numpy as np
import onnxruntime as ort
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from edge.errors import InstallError, ModelCorrupt
from edge.faces.liveness.minifasnet import minifasnet_graph
from edge.faces.liveness.pth import read_tensors
from edge.faces.manifest import load_manifest
from edge.faces.prepare import prepare
from tests.faces.liveness.checkpoints import checkpoint, random_weights
from tests.faces.liveness.places import shared_weights


class PlainNetwork:
    """MiniFASNet written down a second time, in numpy and float64, one layer after the other."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.w = {name.removeprefix("module."): value.astype(np.float64) for name, value in weights.items()}

    def norm(self, name: str, x: np.ndarray) -> np.ndarray:
        shape = (1, -1) + (1,) * (x.ndim - 2)
        mean, var, gain, bias = (
            self.w[f"{name}.{part}"].reshape(shape)
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / np.sqrt(var + 1e-5) * gain + bias

    def conv(self, name: str, x: np.ndarray, stride: int = 1, border: int | None = None) -> np.ndarray:
        kernel = self.w[f"{name}.weight"]
        side = kernel.shape[-1]
        border = side // 2 if border is None else border
        x = np.pad(x, ((0, 0), (0, 0), (border, border), (border, border)))
        windows = sliding_window_view(x, (side, side), (2, 3))[:, :, ::stride, ::stride]
        if kernel.shape[1] == 1 and kernel.shape[0] == x.shape[1] and side > 1:
            return np.einsum("nchwij,cij->nchw", windows, kernel[:, 0])
        return np.einsum("nchwij,ocij->nohw", windows, kernel)

    def layer(self, name: str, x: np.ndarray, stride: int = 1, border: int | None = None) -> np.ndarray:
        x = self.norm(f"{name}.bn", self.conv(f"{name}.conv", x, stride, border))
        slope = self.w.get(f"{name}.prelu.weight")
        return x if slope is None else np.where(x > 0, x, x * slope.reshape(1, -1, 1, 1))

    def block(self, name: str, x: np.ndarray, stride: int = 1) -> np.ndarray:
        return self.layer(
            f"{name}.project", self.layer(f"{name}.conv_dw", self.layer(f"{name}.conv", x), stride)
        )

    def excite(self, name: str, x: np.ndarray) -> np.ndarray:
        y = x.mean(axis=(2, 3), keepdims=True)
        y = np.maximum(self.norm(f"{name}.bn1", self.conv(f"{name}.fc1", y)), 0)
        y = self.norm(f"{name}.bn2", self.conv(f"{name}.fc2", y))
        return x * (1 + np.tanh(y / 2)) / 2

    def run(self, x: np.ndarray) -> np.ndarray:
        x = self.layer("conv2_dw", self.layer("conv1", x.astype(np.float64), 2))
        for entry, stage, count in (
            ("conv_23", "conv_3", 4),
            ("conv_34", "conv_4", 6),
            ("conv_45", "conv_5", 2),
        ):
            x = self.block(entry, x, 2)
            for index in range(count):
                name = f"{stage}.model.{index}"
                grown = self.block(name, x)
                if f"{name}.se_module.fc1.weight" in self.w:
                    grown = self.excite(f"{name}.se_module", grown)
                x = x + grown
        x = self.layer("conv_6_dw", self.layer("conv_6_sep", x), 1, 0)
        x = self.norm("bn", x.reshape(len(x), -1) @ self.w["linear.weight"].T)
        return x @ self.w["prob.weight"].T


def pictures() -> np.ndarray:
    """Noise, a ramp, and grey: (3, 3, 80, 80) float32 BGR 0..255."""
    x = np.random.default_rng(7).integers(0, 256, (3, 3, 80, 80)).astype(np.float32)
    rows, columns = np.mgrid[0:80, 0:80].astype(np.float32)
    x[1] = np.stack([columns * 3, rows * 3, (columns + rows) * 1.5])
    x[2] = 128
    return x


def computed(onnx_file: bytes) -> np.ndarray:
    session = ort.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: pictures()})[0]


@pytest.mark.parametrize("excited", [False, True], ids=["plain", "squeeze-and-excitation"])
class TestRandomWeights:
    def test_the_graph_computes_what_the_network_computes(self, excited):
        weights = random_weights(3, excited=excited)

        found = computed(prepare("minifasnet", checkpoint(weights)))

        expected = PlainNetwork(weights).run(pictures())
        assert np.abs(expected).max() > 0.1
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())

    def test_the_same_weights_give_the_same_bytes(self, excited):
        content = checkpoint(random_weights(4, excited=excited))

        assert prepare("minifasnet", content) == prepare("minifasnet", content)


class TestWrongWeights:
    def test_a_missing_weight_is_named(self):
        weights = random_weights(3, excited=False)
        del weights["module.conv_4.model.2.project.conv.weight"]

        with pytest.raises(ModelCorrupt, match=r"conv_4\.model\.2\.project\.conv\.weight"):
            minifasnet_graph(weights)

    def test_weights_of_another_shape_are_refused(self):
        weights = random_weights(3, excited=False)
        weights["module.conv1.conv.weight"] = np.zeros(5, np.float32)

        with pytest.raises(ModelCorrupt, match=r"conv1\.conv"):
            minifasnet_graph(weights)

    def test_an_unknown_recipe_is_refused(self):
        with pytest.raises(InstallError):
            prepare("pickle", b"")


# What torch 2.13.0 gives for `pictures()`, from the published weights loaded by torch itself.
PUBLISHED = {
    "silentface-2.7": [
        [-3.1519150733947754, 4.345771789550781, -1.1967236995697021],
        [-5.591372489929199, -0.1105356216430664, 5.7026543617248535],
        [-1.8928797245025635, 0.4072955846786499, 1.4855573177337646],
    ],
    "silentface-4.0": [
        [-1.713852882385254, 4.231411457061768, -2.5193240642547607],
        [-5.773162841796875, 3.1721088886260986, 2.600208282470703],
        [-1.2029087543487549, 0.8919710516929626, 0.3106580376625061],
    ],
}


@pytest.mark.shared
@pytest.mark.parametrize("name", PUBLISHED)
class TestPublishedWeights:
    def test_the_graph_computes_what_torch_computes(self, name):
        content = (shared_weights() / load_manifest().model(name).source_file).read_bytes()

        found = computed(prepare("minifasnet", content))

        np.testing.assert_allclose(found, PUBLISHED[name], atol=2e-5)

    def test_the_plain_network_agrees_with_torch_too(self, name):
        content = (shared_weights() / load_manifest().model(name).source_file).read_bytes()

        found = PlainNetwork(read_tensors(content)).run(pictures())

        np.testing.assert_allclose(found, PUBLISHED[name], atol=2e-5)


def test_the_pictures_are_what_the_door_would_feed():
    """The recorded numbers belong to blobs as `cv2.dnn.blobFromImage` makes them: BGR, 0..255."""
    x = pictures()

    assert (cv2.dnn.blobFromImage(x[0].transpose(1, 2, 0).astype(np.uint8)) == x[0]).all()
