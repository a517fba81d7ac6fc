"""The display at the gate shows all of what it says above its buttons, on every size and in any language."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from edge.domain import Reason
from edge.faces.liveness.prompts import Prompt
from tests.browser.chromium import resize, served
from tests.browser.person import Person
from tests.panel.office import open_panel

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.panel.gate_screen import GateScreen

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SIZES = [(390, 844), (480, 800), (600, 1024), (800, 480), (1024, 600), (1280, 800), (1920, 1080)]
STATES: dict[str, Callable[[GateScreen], object]] = {
    "blind": lambda gate: gate.blinded(True),
    "refused": lambda gate: gate.decided(False, Reason.AUTHENTICATION_FACTOR_TIMEOUT),
    "attack": lambda gate: gate.decided(False, Reason.PRESENTATION_ATTACK),
    "granted": lambda gate: gate.decided(True, Reason.GRANTED),
    "prompt": lambda gate: gate.prompt(Prompt(1, "turn_left", 1, 2, 4.0)),
}
CUT = """
const main = document.querySelector("main").getBoundingClientRect();
const buttons = document.querySelector("footer");
const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
const cut = [...document.querySelectorAll("main > *, #lines > * > *")].filter((part) => {
  const box = part.getBoundingClientRect();
  return box.height && (box.top < -1 || box.bottom > buttons.getBoundingClientRect().top + 1
    || box.left < -1 || box.right > innerWidth + 1);
}).map((part) => part.className || part.localName);
const small = [...document.querySelectorAll("#lines .text")].filter(
  (part) => parseFloat(getComputedStyle(part).fontSize) < 13).length;
const out = [...buttons.children].filter((one) => one.scrollWidth > one.clientWidth + 1).length;
return [wide > 0, cut, small, out];
"""
PAD_CUT = """
const pad = document.getElementById("pad");
const out = [...pad.querySelectorAll("*")].filter((part) => {
  const box = part.getBoundingClientRect();
  return !part.closest(".unseen") && box.height && (box.top < -1 || box.bottom > innerHeight + 1
    || box.left < -1 || box.right > innerWidth + 1
    || part.clientWidth && part.scrollWidth > part.clientWidth + 1);
});
return out.map((part) => part.id || part.className || part.localName);
"""
DRAWN = "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"


@pytest.mark.parametrize("language", ["both", "zh", "en"])
def test_nothing_is_cut_off_and_nothing_lies_under_a_button(browser, tmp_path, language):
    """The page fits itself when it is opened, each state in another size, and whenever its size changes."""
    faults = {}
    with ExitStack() as stack:
        panel = open_panel(tmp_path, stack)
        person = Person(browser, stack.enter_context(served(panel.app, tmp_path)))
        gate = panel.desk.screen
        assert gate is not None
        for at, (name, tell) in enumerate(STATES.items()):
            gate.blinded(False)
            panel.clock.advance(60)
            tell(gate)
            for turn, size in enumerate(SIZES[at:] + SIZES[:at]):
                resize(browser, size)
                if turn == 0:
                    person.go(f"/screen?language={language}")
                browser.execute_async_script(DRAWN)
                person.picture(f"fit-{language}-{name}-{size[0]}")
                seen = browser.execute_script(CUT)
                if seen != [False, [], 0, 0]:
                    faults[name, size] = seen
        for size in SIZES:
            resize(browser, size)
            person.go(f"/screen?language={language}")
            browser.find_element("id", "ring-flat").click()
            person.picture(f"fit-{language}-pad-{size[0]}")
            if seen := browser.execute_script(PAD_CUT):
                faults["pad", size] = seen
        browser.get("about:blank")
    assert faults == {}
