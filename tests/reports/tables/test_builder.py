"""The builder of tables: headings, lines of values, spans, footnotes, the note on stale numbers."""

from reports.tables.builder import numbers, over, over_twins, table, texts, twins
from reports.tables.formats import STALE, STALE_NOTE, marked, percent
from reports.tables.table import Td, label, words


def body(lines, **more):
    return table("t", "c", numbers("a", "b", "c"), lines, **more).bodies[0][1]


def test_a_value_becomes_a_cell_by_its_kind():
    assert body([["Xception", "kept", 1234], ["ResNet50", None, Td("1.5", "small")]]) == [
        [label("Xception"), words("kept"), Td("1,234")],
        [label("ResNet50"), Td("–"), Td("1.5", "small")],
    ]


def test_headings_stand_in_one_row():
    heads = [*texts("Network"), *numbers("n"), *twins()]
    kinds = [(td.text, td.kind, td.colour, td.rows) for td in table("t", "c", heads, []).heads[0]]
    assert kinds == [
        ("Network", "headtext", "", 1), ("n", "head", "", 1),
        ("Keras", "head", "keras", 1), ("PyTorch", "head", "torch", 1),
    ]  # fmt: skip


def test_headings_above_others_make_a_second_row():
    heads = [*texts("Network"), over("Measured", twins()), *over_twins(numbers("x", "y", "z"))]
    made = table("t", "c", heads, [])
    above, below = made.heads
    assert [(td.text, td.span, td.rows) for td in above] == [
        ("Network", 1, 2), ("Measured", 2, 1), ("Keras", 3, 1), ("PyTorch", 3, 1),
    ]  # fmt: skip
    assert [td.text for td in below] == ["Keras", "PyTorch", *"xyzxyz"]
    assert made.columns == 1 + len(below)


def test_equal_cells_below_each_other_become_one():
    lines = [["A", "k", 1], ["A", "k", 2], ["A", "t", 2], ["B", "t", 2]]
    rows = body(lines, spans=[[0], [1]])
    assert [[(td.text, td.rows) for td in row] for row in rows] == [
        [("A", 3), ("k", 2), ("1", 1)], [("2", 1)], [("t", 1), ("2", 1)],
        [("B", 1), ("t", 1), ("2", 1)],  # "t" again, but of another first cell
    ]  # fmt: skip


def test_columns_of_one_entry_become_one_all_together_or_not_at_all():
    lines = [["A", "k", 1], ["A", "k", 2], ["A", "t", 3]]
    rows = body(lines, spans=[[0, 1]])
    assert [[(td.text, td.rows) for td in row] for row in rows] == [
        [("A", 2), ("k", 2), ("1", 1)], [("2", 1)], [("A", 1), ("t", 1), ("3", 1)],
    ]  # fmt: skip


def test_cells_stay_apart_where_no_column_is_spanned():
    assert [len(row) for row in body([["A", "k", 1], ["A", "k", 1]])] == [3, 3]


def test_reasons_are_footnotes_numbered_in_their_order():
    lines = [["A", words("no", reason="second"), words("no", reason="first")],
             ["B", words("no", reason="first"), words("yes")]]  # fmt: skip
    made = table("t", "c", numbers(*"abc"), lines)
    assert made.reasons == ["second", "first"]
    assert [[td.ref for td in row] for row in made.bodies[0][1]] == [[0, 1, 2], [0, 2, 0]]


def test_a_title_without_rows_is_left_out():
    made = table("t", "c", numbers("a"), {"none": [], "some": [["A"]]})
    assert made.bodies == [("some", [[label("A")]])]


def test_the_mark_of_stale_numbers_is_explained_once_and_last():
    old = Td(marked(percent(0.5), True))
    assert table("t", "c", numbers(*"ab"), [["A", old], ["B", old]], ["n"]).notes == [
        "n", STALE_NOTE,
    ]  # fmt: skip
    assert table("t", f"c {STALE}", numbers("a"), [["A"]]).notes == [STALE_NOTE]
    assert table("t", "c", numbers(*"ab"), [["A", Td(marked("X", True))]], ["n"]).notes == ["n"]


def test_a_table_of_sentences_stacks_and_its_cells_know_their_headings():
    said = (
        "a sentence that takes several lines of a small screen, for it has a hundred letters or so"
    )
    heads = [*texts("Kind"), over("Liang", texts("So", "Evidence"))]
    made = table("t", "c", heads, [["one", "found", said]])
    assert made.stacks and [td.text for td in made.lowest] == [
        "Kind",
        "Liang, So",
        "Liang, Evidence",
    ]
    assert not table("t", "c", heads, [["one", "found", "short"]]).stacks
    assert not table("t", "c", [*texts("Kind"), *numbers("a", "b")], [[said, 1, 2]]).stacks
