"""An image or a photograph as the page of the errors draws it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Drawn:
    """An image with its words; `picture` is the name of one of the page's pictures."""

    picture: str
    alt: str
    name: str
    said: tuple[tuple[str, str], ...]  # the twin, and its answer
