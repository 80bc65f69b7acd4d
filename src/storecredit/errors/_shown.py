"""How messages show a value that may be enormous or hostile."""


def shown(value: object) -> str:
    """Show *value* so that an enormous or hostile one stays readable."""
    try:
        text = ascii(value) if isinstance(value, str) else repr(value)
    except ValueError:  # Python writes no number of so many digits
        return "a number that is too long to show"
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"
