from typing import Any

import numpy as np
from numpy.typing import NDArray

INTERFACE: int
SOURCE: str

def similarity(row: NDArray[np.float32], probe: NDArray[np.float32], /) -> float: ...
def instructions(plain: bool, /) -> str: ...

class Rows:
    def __new__(
        cls,
        originals: NDArray[np.float32],
        codes: NDArray[np.int8],
        owner: NDArray[np.int32],
        died: NDArray[np.int64],
        names: list[str],
        verdicts: tuple[object, ...],
        scale: float,
        /,
    ) -> Rows: ...
    def encode(self, start: int, stop: int, /) -> float: ...
    def best_two(
        self, several: bool, probes: NDArray[np.float32], rows: int, version: int, residual: float, /
    ) -> tuple[list[tuple[Any, ...]], int] | None: ...
    def decide(
        self,
        several: bool,
        probes: NDArray[np.float32],
        rows: int,
        version: int,
        residual: float,
        threshold: float,
        margin: float,
        /,
    ) -> tuple[list[tuple[Any, ...]], int] | None: ...
