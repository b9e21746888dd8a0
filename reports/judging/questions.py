"""What is asked of the control's networks, and of which of their numbers."""

from dataclasses import dataclass

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


QUESTIONS = (
    Question(
        "liang",
        "Liang’s question: does an LSTM over the rows help its own CNN?",
        "One CNN alone, and with an LSTM beside it that reads the grey image row by row; by "
        "Liang’s recipe: first the CNN frozen, then all layers.",
        "efficientnet_lite0_lstm",
        "efficientnet_lite0",
    ),
    Question(
        "jane",
        "Jane’s question: CNN-LSTM or CNN-GRU?",
        "One frozen CNN, with an LSTM or a GRU that reads its last feature map; by Jane’s recipe: "
        "cross-validation on images of equal classes.",
        "efficientnet_lite0_cnn_lstm",
        "efficientnet_lite0_cnn_gru",
    ),
)
