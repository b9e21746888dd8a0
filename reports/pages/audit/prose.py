"""The claims audit of the papers' words: sentences against sentences, tables and files."""

from collections.abc import Iterator

from protocols.classes import CLASSES
from protocols.papers.backbones import load_backbones
from protocols.papers.claims import of_table
from protocols.photographs import provenance
from reports.pages.audit.finding import Claims, Finding, Side, judged, quoted, row, side, where
from reports.tables.cell_text import claim_text

# These entries stand in the papers' lists of references.
MRI = (
    "[36] P. Moeskops, M. A. Viergever, A. M. Mendrik, L. S. de Vries, M. J. N. L. Benders, and "
    "I. Išgum, ‘Automatic segmentation of MR brain images with a convolutional neural network’"
)
CERVIX = (
    "[34] T. Xu et al., ‘Multi-feature based benchmark for cervical dysplasia classification "
    "evaluation’; [35] T. Xu, H. Zhang, X. Huang, S. Zhang, and D. N. Metaxas, ‘Multimodal deep "
    "learning for cervical dysplasia diagnosis’"
)
THEERA_UMPON = (
    "[26] N. Theera-Umpon and P. D. Gader, ‘System-level training of neural networks for counting "
    "white blood cells’, 2002; [27] N. Theera-Umpon, ‘Automatic white blood cell classification "
    "using biased-output neural networks with morphological features’, 2003"
)
JANE_S = (
    "1. B. Su and S. Lu, ‘Accurate scene text recognition based on recurrent neural network’; 3. "
    "Gaobo Liang, Huichao Hong, Weifang Xie, and Lixin Zheng; 5. Graves, M. Liwicki, S. "
    "Fernández, R. Bertolami, H. Bunke and J. Schmidhuber, ‘A novel connectionist system for "
    "unconstrained handwriting recognition’"
)
# The claims of Jane that quote Liang, each with the claim of Liang that it quotes.
OF_LIANG = {
    "jane.t1.liang": "liang.t1.xception_lstm",
    "jane.cited.liang_speed": "liang.speed.test",
}


def _against(
    claims: Claims, key: str, title: str, printed: str, other: Side, sums: str, holds: bool = False
) -> Finding:
    """Return the finding that sets a sentence of a paper, `printed` word for word, against `other`;
    `holds` says whether both can stand."""
    said = claims[key]
    return Finding(title, (key,), (Side(where(said), quoted(printed)), other), sums, judged(holds))


def classes(claims: Claims) -> Iterator[Finding]:
    """Check whether there are five classes, or four."""
    yield _against(
        claims, "liang.text.five", "How many classes are there?",
        "the five-classification problem of leukocytes we studied",
        Side("Liang III.A", quoted("We divided these images into four different types according "
                                   "to the type of blood cells")),
        f"5 against {len(CLASSES)}.", len(CLASSES) == 5,
    )  # fmt: skip


def highest(claims: Claims) -> Iterator[Finding]:
    """Check whether Liang's accuracy is the highest of those that Liang cites."""
    said, best = claims["liang.text.highest"], claims["liang.t1.xception_lstm"]
    cited = [c for c in claims.values() if (c.paper, c.kind) == ("liang", "cited")]
    above = sorted((c for c in cited if c.number > best.number), key=lambda c: c.number)
    yield Finding(
        "Is its accuracy the highest?", (said.id, best.id, *(c.id for c in above)),
        (Side("Liang VI", quoted("Compared with the previous existing methods, our proposed "
                                 "technique achieved the highest performance")),
         Side("Liang I, II", "; ".join(f"{row(c)}: {claim_text(c)}" for c in above))),
        f"Its best is {claim_text(best)}; {len(above)} of the {len(cited)} rates that it cites "
        "are higher. They are of other images, but so does V compare: "
        + quoted("with the existing methods and based on their experimental results") + ".",
        judged(not above), (said.id,),
    )  # fmt: skip


def recurrent_input(claims: Claims) -> Iterator[Finding]:
    """Check what the RNN reads."""
    yield _against(
        claims, "liang.text.rnn_input", "Does the RNN read what the CNN makes?",
        "we introduce a RNN with memory function to generate a continuous time output state for "
        "features extracted from CNN",
        Side("Liang III.E", quoted("Xception uses the RGB channel as an input, and RNN takes a "
                                   "single channel map as input")),
        "An image of one channel is no feature of the CNN; I itself says as well: "
        + quoted("use the pre-processed training data as the input of the RNN model") + ".",
    )  # fmt: skip


def filters(claims: Claims) -> Iterator[Finding]:
    """Check the size of the first convolution against the image's channels."""
    said, first = claims["liang.text.filters"], load_backbones()["xception"].layers[0]
    weights = first.maps * 3 * 3 * 3
    yield Finding(
        "Do the filters fit the image?", (said.id,),
        (side(said), Side("Liang III.A", quoted("RGB images of size 320 × 240 × 3 pixels"))),
        f"3 × 3 pixels over 3 channels; Xception's first convolution ({first.name}) makes "
        f"{first.maps} maps of them: {first.maps} × 3 × 3 × 3 = {weights} weights.",
        judged(said.printed.startswith(f"{first.maps} filters")),
    )  # fmt: skip


def references(claims: Claims) -> Iterator[Finding]:
    """Check the numbers of references against the list of references."""
    yield _against(
        claims, "liang.text.mri", "Is [34] on brain MRI?",
        "segmentation (pixel classification) of brain tissues in MRI [34]",
        Side("Liang, References", quoted(MRI)),
        "[34] is on the cervix; brain MRI is [36], two further down.",
    )  # fmt: skip
    yield _against(
        claims, "liang.text.cervix", "Is [36] on the cervix?",
        "detecting cervical intraepithelial neoplasia (CIN, particularly CIN2+) at patient level "
        "based on Cervigram images or Multimodal data [36]",
        Side("Liang, References", quoted(CERVIX)),
        "[36] is on brain MRI; the cervix is [34] and [35], up to two further up.",
    )  # fmt: skip
    yield _against(
        claims, "liang.text.theera_umpon", "Are [26] and [27] by the two named?",
        "Theera-Umpon and Dhompongsa (2007) used a Bayesian classifier",
        Side("Liang, References", quoted(THEERA_UMPON)),
        "Neither is by Dhompongsa, or of 2007.",
    )  # fmt: skip


def models(claims: Claims) -> Iterator[Finding]:
    """Check how many networks Jane says that Liang has, and how many that Jane has."""
    liang = len({c.variant for c in of_table(claims, "liang", "Table 1", "accuracy")})
    yield _against(
        claims, "jane.text.five", "Has Liang five models?",
        "the highest classification accuracy of 90.79 percent among the five models for blood "
        "cell classification",
        Side("Liang Table 1", f"{liang} networks"), f"5 against {liang}.", liang == 5,
    )  # fmt: skip
    own = len({c.variant for c in of_table(claims, "jane", "Table II", "accuracy")})
    yield _against(
        claims, "jane.text.four", "Are there four classifiers?",
        "The dataset is used to train the four deep classifiers",
        Side("Jane Table II", f"{own} networks"),
        f"4 against {own}; and 4 itself speaks of "
        + quoted("a greater accuracy (92.1%) than the other model") + ".",
        own == 4,
    )  # fmt: skip


def pictures(claims: Claims) -> Iterator[Finding]:
    """Check the numbers of Jane's photographs, before and after augmentation."""
    said = int(claims["jane.text.410"].printed.split()[0])
    rows, labelled = provenance.LABEL_ROWS, provenance.LABELLED
    there = sum(bool(o.label) for o in provenance.originals())
    yield _against(
        claims, "jane.text.410", "Are there 410 labelled pictures?",
        "410 pictures of white blood cells with cell-type identifiers",
        Side("the files", f"labels.csv: {rows} rows, {labelled} with a label; {there} of those "
                          "have a photograph"),
        f"{rows} − {rows - labelled} without a label = {labelled}; − {labelled - there} without a "
        f"photograph = {there}. The rows are numbered from 0 to {rows - 1}.",
        said in (rows, labelled, there),
    )  # fmt: skip
    each = int(claims["jane.text.500"].printed.split()[0])
    counts = [sum(o.label == name for o in provenance.originals()) for name in CLASSES]
    n = claims["jane.t2.cnn_lstm.accuracy"].n
    yield _against(
        claims, "jane.text.500", "Can each class have 500?",
        "the training set consists of 500 photos of each type of WBC image",
        Side("the files", "E, L, M, N: " + ", ".join(map(str, counts)) + " photographs of one "
                          "cell with its label"),
        f"{len(CLASSES)} × {each} = {n:,}. Each photograph is shown {each / max(counts):.1f} to "
        f"{each / min(counts):.1f} times.",
        len(CLASSES) * each == n and each >= max(counts),
    )  # fmt: skip


def liang_cited(claims: Claims) -> Iterator[Finding]:
    """Check what Jane quotes from Liang, and by which reference."""
    for key, there in OF_LIANG.items():
        cited, own = claims[key], claims[there]
        same = cited.printed == own.printed
        yield Finding(
            "Is Liang cited rightly?", (key,), (side(cited), side(own)),
            "The same digits." if same else "Other digits.", judged(same),
        )  # fmt: skip
    yield _against(
        claims, "jane.text.cites_liang", "Is Liang [1, 5]?",
        "a model combining CNN and RNN was proposed by Gaobo Liang et al [1,5]",
        Side("Jane, References", quoted(JANE_S)),
        "Liang is [3], as in Table I.",
    )  # fmt: skip


LIANG = (classes, highest, recurrent_input, filters, references)
JANE = (models, pictures, liang_cited)
