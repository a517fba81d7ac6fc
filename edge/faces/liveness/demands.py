"""What is asked of a visitor where the networks' yes is not enough by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Weak = Literal["ask", "accept"]
"""What a yes of the packaged network alone is worth: `ask` for more (a challenge where a display is
watched, else the PIN), or `accept` it, which a site must write down."""

Monochrome = Literal["ask", "one_network", "refuse"]
"""What to do when the camera gives pictures without colour, as at night under infrared light.

The networks were made for colour: of 11 living people made grey the pair passed 4. `ask` for more
and score nothing; `one_network`: let the packaged network decide, and ask for more where it says no;
`refuse`: the face does not count at night, and the visitor is told.
"""


@dataclass(frozen=True, slots=True)
class Demands:
    """How a site wants the two weak states handled. The defaults let residents in by some way."""

    weak: Weak = "ask"
    monochrome: Monochrome = "ask"
