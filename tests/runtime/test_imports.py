"""No garbage is looked for while importing, nor afterwards among what was imported."""

from __future__ import annotations

from tests.processes import in_a_process


def test_no_garbage_is_looked_for_while_importing_and_it_is_afterwards() -> None:
    in_a_process("""
        import gc
        from edge.runtime.imports import importing
        looked = []
        gc.callbacks.append(lambda phase, info: looked.append(phase))
        with importing():
            kept = [[] for _ in range(50_000)]
        assert not looked, looked
        assert gc.get_freeze_count() >= 50_000
        more = [[] for _ in range(50_000)]
        assert looked
    """)


def test_garbage_is_looked_for_also_after_an_import_that_fails() -> None:
    in_a_process("""
        import gc
        from edge.runtime.imports import importing
        try:
            with importing():
                import edge.not_there
        except ModuleNotFoundError:
            pass
        assert gc.isenabled()
    """)


def test_the_service_imports_the_door_like_that() -> None:
    in_a_process("""
        import gc, sys
        from edge.cli.run import run
        try:
            run.main(["--config", "/nowhere/config.toml"], standalone_mode=False)
        except Exception:
            pass
        assert "edge.service.door" in sys.modules
        assert gc.get_freeze_count() > 30_000, gc.get_freeze_count()
    """)
