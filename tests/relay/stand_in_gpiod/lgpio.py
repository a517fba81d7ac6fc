"""A Python that lgpio has no wheel for."""

raise ModuleNotFoundError("No module named 'lgpio'", name="lgpio")
