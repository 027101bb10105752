"""The verbs, a file for each journey: ask, decide, hand over, retire, lapse."""
