"""`python -m edge.bench.video CLIP FPIR clip|cold off|passive|strict GALLERY...` prints one JSON line."""

from __future__ import annotations

import sys

from edge.runtime.imports import importing

with importing():  # as a door does
    from edge.bench.video.run import main

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:])  # type: ignore[arg-type]
