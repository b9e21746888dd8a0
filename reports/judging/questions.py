"""What is asked of the control's networks, and of which of their numbers."""

from dataclasses import dataclass

from protocols.papers import papers

# metric, at, in words
ROWS = (
    ("accuracy", "selected", "Accuracy, selected epoch, points"),
    ("accuracy", "last", "Accuracy, last epoch, points"),
    ("log_loss", "selected", "Log loss, selected epoch, nat"),
    ("f1_macro", "selected", "F1, macro, selected epoch, points"),
)


@dataclass(frozen=True)
class Question:
    """What one paper asks, asked again; `first` and `second`: whose difference answers it."""

    paper: str
    heading: str
    text: str
    first: str
    second: str


QUESTIONS = tuple(papers.rows("questions.toml", Question, "paper").values())
