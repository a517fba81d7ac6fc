"""The ways in beside the face: PINs, cards, passes, commands, and the rules that all of them ask."""
