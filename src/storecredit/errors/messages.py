"""
What can be wrong with the texts of messages (P7).

    MisuseError
        TemplateFailed          a template that cannot be read, or that does not render
        TextsNotInstalled       the extra with the template library is missing
"""

from __future__ import annotations

from typing import final

import attrs

from storecredit.errors._branches import MisuseError

__all__ = ["TemplateFailed", "TextsNotInstalled"]


@final
@attrs.define
class TemplateFailed(MisuseError):
    """A template of a text is wrong; nothing was rendered (P7)."""

    template: str
    """Its locale and kind, such as ``de/credit_used``."""
    line: int | None
    """The line of the template, from 1 on; None where the template as a whole is wrong."""
    problem: str
    """What is wrong with it, and what would be right."""

    def __str__(self) -> str:
        place = "" if self.line is None else f", line {self.line}"
        return f"Template {self.template}{place}: {self.problem}"


@final
@attrs.define
class TextsNotInstalled(MisuseError):
    """Texts are rendered by Jinja, which comes with an extra; payloads need nothing more (P7)."""

    missing: str
    """The module that is not installed."""

    def __str__(self) -> str:
        return (
            f"Texts of messages need {self.missing}, which is not installed. "
            'Run: pip install "storecredit[messages]". Payloads work without it.'
        )
