"""What the papers don't state: every gap that was found has its assumed value, and its place on
the page."""

from dataclasses import replace

import pytest

from benchmarks.planning import overrides
from benchmarks.planning.plan import Device, Selection, make_plan
from benchmarks.store.store import Store
from protocols.errors import RequestError
from protocols.papers import papers, toml_rows
from protocols.papers.recipes import load_recipe, others, values
from protocols.papers.variants import load_variants
from protocols.spec import IMPLIED, RunSpec
from reports.cells.collect import collect
from reports.data import results
from reports.data.numbers import Numbers
from reports.pages import assumed
from reports.pages.content import Results
from tests.support import synthetic

# Each gap that a reading of the papers found -> the entries that tell our reading of it
GAPS = {
    "liang": {
        "which set is validation": ["validation_set"],
        "weights of the loss": ["label_smoothing"],
        "rate of RMSProp, size of a batch": ["phase1_rate", "batch_size"],
        "how the grey image becomes a sequence": ["rows", "grey_pooling"],
        "size of the LSTM, equal sizes for the product": ["lstm_units", "projection_units"],
        "two CNNs and one LSTM": ["two_cnns"],
        "training of the CNNs alone": ["cnn_only_training", "cnn_only_head"],
        "input": ["preprocessing"],
        "grey": ["grey"],
        "batch normalisation while frozen": ["frozen_batch_norm"],
        "random backbones": ["calibration_images"],
        "start of phase 2, last batch, dropout": ["phase2_start", "last_batch", "dropout"],
        "what the RNN reads, I against III.E": ["rnn_input"],
        "RMSProp and Adam": ["rmsprop_rho", "adam_beta1", "adam_beta2", "epsilon"],
        "what validation loss is": ["validation_loss"],
        "the RNN's activation, adjusted (I)": ["rnn_activation"],
        "gates of Keras of 2018": ["recurrent_activation"],
        "ResNet50 of Keras-Applications 1.0.2": ["resnet50_epsilon", "resnet50_stem_pooling"],
        "random weights of the head": ["initial_weights"],
        "order of the images": ["image_order"],
        "penalty": ["l2"],
    },
    "jane": {
        "which CNN": ["backbone"],
        "whether the CNN is trained": ["cnn_trained"],
        "what the RNN reads": ["rnn_input", "map_channels"],
        "cell of the layer of 256": ["rnn_cell"],
        "410 images": ["usable_labels"],
        "whether 500 include the originals; range of rotations": ["augmentation"],
        "averaging of precision, recall, F": ["averaging"],
        "order of the layers": ["layer_order", "projection_units"],
        "direction of the layers of 8": ["small_rnn_direction"],
        "masking": ["masking"],
        "rate of L2": ["l2"],
        "which set is validation": ["validation_set"],
        "Tables II and III over the folds": ["mean_over_folds"],
        "what validation loss is": ["validation_loss"],
        "Table II against Table III": ["two_tables"],
        "size of the images": ["image_size"],
        "input": ["preprocessing"],
        "gates of Keras of 2018": ["recurrent_activation"],
        "the GRU's reset": ["gru_reset"],
        "activation of the RNN": ["rnn_activation"],
        "random weights of the head": ["initial_weights"],
        "what the folds divide": ["fold_members"],
        "order of the images": ["image_order"],
        "numbers of Adam, last batch": ["adam_beta1", "adam_beta2", "epsilon", "last_batch"],
    },
}
WORDS = {
    "liang": {"recurrent_activation", "resnet50_stem_pooling", "frozen_batch_norm"},
    "jane": {"recurrent_activation", "cnn_trained"},
}
CPU = {"keras": Device("tensorflow", "cpu"), "torch": Device("torch", "cpu")}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("guessed"))
    changed = [
        ("xception", {"frozen_batch_norm": "batch"}),
        ("resnet50_lstm", {"recurrent_activation": "hard_sigmoid"}),
    ]
    plan = [synthetic.spec("keras", v, recipe=r) for v, r in changed]
    plan += [synthetic.spec("keras", "xception")]
    collected = collect(synthetic.fill(store, plan), plan)
    return assumed.page(Results(collected, Numbers(results.document(collected)), store.out))


@pytest.mark.parametrize("paper", GAPS)
def test_every_gap_has_its_assumed_value_on_the_page(paper, page):
    recipe = load_recipe(paper)
    (table,) = (t for t in page["tables"] if t.name == f"assumed-{paper}")
    shown = {row[0].id: row for _, rows in table.bodies for row in rows}
    for gap, keys in GAPS[paper].items():
        for key in keys:
            assert recipe[key].source == "assumed" and recipe[key].reason, gap
            assert f"{paper}-{key}" in shown, gap
    named = {key for keys in GAPS[paper].values() for key in keys}
    assert {k for k, v in recipe.items() if v.source == "assumed"} == named | {"running_variance"}


def test_the_page_names_the_words_that_can_be_tried(page):
    notes = {row[0].note for t in page["tables"] for _, rows in t.bodies for row in rows}
    assert {
        "--set recurrent_activation=hard_sigmoid", "--set resnet50_stem_pooling=unpadded",
        "--set frozen_batch_norm=batch", "--set cnn_trained=trained", "--set phase1_rate=…",
    } <= notes  # fmt: skip
    assert not any("rnn_input" in note for note in notes)  # a reading: --set refuses it


def test_runs_with_other_words_stand_there_with_them(page):
    captions = " ".join(table.caption for table in page["effects"])
    assert "With frozen_batch_norm = batch:" in captions
    assert "With recurrent_activation = hard_sigmoid:" in captions


def test_numbers_that_the_gaps_name():
    jane, liang = load_recipe("jane"), load_recipe("liang")
    for key, said in (
        ("usable_labels", "348"), ("augmentation", "20 degrees"), ("augmentation", "constant"),
        ("averaging", "macro"), ("mean_over_folds", "mean"),
    ):  # fmt: skip
        assert said in jane[key].value
    said = liang["rnn_input"].reason
    assert "ection III.E" in said and "ection I says" in said
    assert "1e-3" in liang["resnet50_epsilon"].reason


@pytest.mark.parametrize("paper", GAPS)
def test_a_reading_is_in_no_run_and_all_else_is(paper):
    recipe = load_recipe(paper)
    runs = make_plan(Selection(suite=paper), "phantom", CPU, 2)
    readings = {key for key, entry in recipe.items() if entry.reading}
    assert readings and not readings & set(runs[0].recipe)
    assert set(values(paper)) == recipe.keys() - readings
    assert set(values(paper)) <= set(runs[0].recipe)


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("new", {"source": "paper"}),
        ("new", {"reason": ""}),
        ("recurrent_activation", {}),  # the code has two forms of it
        ("resnet50_epsilon", {}),
        ("phase1_optimizer", {"reading": False, "value": "sgd"}),
        ("recurrent_activation", {"reading": False, "value": "tanh"}),
        ("cnn_trained", {"reading": False, "value": "half"}),
        ("new", {"settable": True}),  # a reading is in no run's recipe
        ("l2", {"reading": False, "settable": True}),  # no number
    ],
)
def test_an_entry_that_the_code_does_not_follow_is_refused(monkeypatch, key, wrong):
    entry = {"value": "so", "source": "assumed", "reason": "unstated", "reading": True}
    papers.folders()  # read before
    monkeypatch.setattr(toml_rows, "raw", lambda _: {key: entry | wrong})
    with pytest.raises(ValueError, match=rf"liang2018/recipe.toml {key}"):
        load_recipe("liang")


def test_the_recipe_names_the_backbone_that_is_built():
    of_paper = [v for v in load_variants().values() if v.suite == "jane"]
    assert {v.backbones for v in of_paper} == {(load_recipe("jane")["backbone"].value,)}


# --- --set takes words ---


@pytest.mark.parametrize("paper", WORDS)
def test_the_words_that_can_be_set(paper):
    recipe = load_recipe(paper)
    assert {key for key, entry in recipe.items() if others(key, entry)} == WORDS[paper]
    numbers = {key for key, entry in recipe.items() if entry.settable}
    assert set(overrides.settable(paper)) == WORDS[paper] | numbers


@pytest.mark.parametrize(
    ("text", "variant"),
    [
        ("recurrent_activation=hard_sigmoid", "xception_lstm"),
        ("recurrent_activation=hard_sigmoid", "cnn_gru"),
        ("frozen_batch_norm=batch", "xception"),
        ("resnet50_stem_pooling=unpadded", "resnet50"),
        ("resnet50_epsilon=0.001", "resnet50"),
        ("cnn_trained=trained", "cnn_lstm"),
    ],
)
def test_a_word_is_in_the_run_and_in_its_id(text, variant):
    wish = Selection(variants=(variant,), weights="imagenet")
    plain = make_plan(wish, "phantom", CPU, 2)
    runs = make_plan(replace(wish, changes=(text,)), "phantom", CPU, 2)
    key, word = text.split("=")
    assert {s.framework for s in runs} == {"keras", "torch"}
    for run in runs:
        assert str(run.recipe[key]) == word
        assert run.id not in {s.id for s in plain}
        assert RunSpec.from_json(run.to_json()) == run


@pytest.mark.parametrize(
    ("text", "variant", "said"),
    [
        ("recurrent_activation=tanh", "cnn_lstm", "takes sigmoid or hard_sigmoid, not 'tanh'"),
        ("frozen_batch_norm=2", "xception", "takes inference or batch, not '2'"),
        ("cnn_trained=yes", "cnn_gru", "takes trained, not 'yes'"),
        ("cnn_trained=trained", "cnn_gru", "changes nothing where the weights are random"),
        ("resnet50_stem_pooling=", "resnet50", "takes padded or unpadded, not ''"),
        ("frozen_batch_norm=batch", "cnn_gru", "can't be set for the networks of jane"),
        ("rnn_input=features", "xception_lstm", "can't be set"),  # a reading
        ("recurrent_activation=hard_sigmoid", "xception", "changes nothing in xception"),
        ("resnet50_epsilon=0.001", "xception", "changes nothing in xception"),
        ("lstm_units=8", "inception_v3", "changes nothing in inception_v3"),
    ],
)
def test_a_wrong_word_ends_at_the_door(text, variant, said):
    with pytest.raises(RequestError, match=said):
        make_plan(Selection(variants=(variant,), changes=(text,)), "phantom", CPU, 2)


def test_an_implied_word_is_the_run_as_it_is():
    text = f"recurrent_activation={IMPLIED['recurrent_activation']}"
    words = {"variants": ("cnn_gru",)}
    plain = {s.id for s in make_plan(Selection(**words), "phantom", CPU, 2)}
    runs = make_plan(Selection(**words, changes=(text,)), "phantom", CPU, 2)
    assert runs and {s.id for s in runs} <= plain


def test_a_network_that_does_not_read_a_value_is_run_as_published():
    def ids(*words):
        plan = make_plan(Selection(suite="liang", changes=words), "phantom", CPU, 2)
        return {(s.framework, s.variant): s.id for s in plan if s.stage == "train"}

    plain, changed = ids(), ids("resnet50_stem_pooling=unpadded")
    other = {variant for (_, variant), name in changed.items() if plain[_, variant] != name}
    assert other == {v for _, v in plain if "resnet50" in v}
