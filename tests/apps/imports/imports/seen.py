"""Tests write their own code here: what is done at import, and what is to be seen of it later."""


def look():
    return "nothing"
