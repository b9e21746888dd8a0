"""Reads what is asked of the control's networks, and lists the numbers that are to answer."""

from dataclasses import dataclass

from protocols.papers import papers

# the metric, the point of the schedule, and both in words
ROWS = (
    ("accuracy", "selected", "Accuracy, selected epoch, points"),
    ("accuracy", "last", "Accuracy, last epoch, points"),
    ("log_loss", "selected", "Log loss, selected epoch, nat"),
    ("f1_macro", "selected", "F1, macro, selected epoch, points"),
)


@dataclass(frozen=True)
class Question:
    """A paper's question, asked again; the difference `first` less `second` is the answer."""

    paper: str
    heading: str
    text: str
    first: str
    second: str


QUESTIONS = tuple(papers.rows("questions.toml", Question, "paper").values())
