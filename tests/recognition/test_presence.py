"""Who was let in is present until they leave; being present never opens anything."""

from __future__ import annotations

from edge.recognition.presence import LEAVING_SECONDS, PROOF_SECONDS, Presence


def test_nobody_is_here_who_was_not_let_in():
    presence = Presence()
    presence.see("anna", 0.0)
    assert not presence.is_here("anna", 0.0)
    assert not presence.is_here(None, 0.0)


def test_a_turned_back_is_not_leaving_but_walking_off_is():
    presence = Presence()
    presence.prove("anna", 0.0)
    assert presence.is_here("anna", 4.5)
    assert not presence.is_here("anna", LEAVING_SECONDS + 0.1)
    assert not presence.is_here("bela", 1.0)


def test_every_look_that_matches_keeps_somebody_here_for_a_while():
    presence = Presence()
    presence.prove("anna", 0.0)
    for n in range(1, 200):
        presence.see("anna", n * 1.0)
    assert presence.is_here("anna", PROOF_SECONDS + LEAVING_SECONDS)
    assert not presence.is_here("anna", PROOF_SECONDS + LEAVING_SECONDS + 1.1), "a photograph could do that"


def test_who_is_found_alive_again_stays():
    presence = Presence()
    for n in range(0, 300, 20):
        presence.prove("anna", float(n))
        presence.see("anna", n + 4.0)
        presence.see("anna", n + 8.0)
        presence.see("anna", n + 12.0)
        presence.see("anna", n + 16.0)
        assert presence.is_here("anna", n + 20.0)


def test_who_left_does_not_come_back_by_a_look():
    presence = Presence()
    presence.prove("anna", 0.0)
    presence.see("anna", 6.0)
    assert not presence.is_here("anna", 6.0)
