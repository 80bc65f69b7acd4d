"""How messages show a value that may be enormous or hostile."""


def shown(value: object) -> str:
    """Show *value* so that an enormous or hostile one stays readable."""
    text = ascii(value) if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"
