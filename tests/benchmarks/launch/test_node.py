"""The part of a launch on a node of a cluster, without Ray: files that are sent, and failures."""

import errno
import hashlib

import pytest

from benchmarks.launch import node as nodes
from benchmarks.launch.node import Node, parcels
from benchmarks.launch.worker import RunFailed, WorkerDied
from protocols.errors import RequestError
from tests.support.devices import CPU

CONTENT = b"part one, part two"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def test_a_file_is_sent_in_parts_and_once(tmp_path):
    node = Node(tmp_path)
    wanted = {"arrays/a/pixels.npy": DIGEST}
    (place,) = node.lacking(wanted)
    node.take(place, DIGEST, CONTENT[:8], last=False)
    assert node.lacking(wanted) == [place], "a file that isn't whole has another name"
    node.take(place, DIGEST, CONTENT[8:], last=True)
    assert (tmp_path / place).read_bytes() == CONTENT and node.lacking(wanted) == []
    assert [p.name for p in (tmp_path / place).parent.iterdir()] == ["pixels.npy"]


def test_a_file_with_other_content_is_never_replaced(tmp_path):
    (tmp_path / "weights.h5").write_bytes(b"another")
    with pytest.raises(RequestError, match=r"weights.h5 is another file .*delete it there"):
        Node(tmp_path).lacking({"weights.h5": DIGEST})
    with pytest.raises(RequestError, match="arrived with another SHA-256"):
        Node(tmp_path).take("new.h5", DIGEST, b"cut off", last=True)
    assert [p.name for p in tmp_path.iterdir()] == ["weights.h5"]


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (RunFailed("TrainingDiverged: no"), RunFailed, "TrainingDiverged: no"),
        (WorkerDied("killed by signal 9"), WorkerDied, "killed by signal 9"),
        (OSError(errno.ENOSPC, "No space left on device"), WorkerDied, "OSError: [Errno 28] No"),
    ],
)
def test_a_failure_on_a_node_comes_back_with_what_the_run_wrote(
    error, kind, said, plan_of, job_of, tmp_path, monkeypatch
):
    (run,) = [s for s in plan_of("resnet50", frameworks=("torch",)) if s.stage == "train"]
    seen = []

    class Failing:
        def __init__(self, *words):
            seen.append(words)

        def run(self, specs, jobs, progress, note):
            seen.append(jobs[0])
            progress("images trained", 1, 2)
            note("a sentence")
            (jobs[0].folder / "log.txt").write_text("what happened", encoding="utf-8")
            raise error

    monkeypatch.setattr(nodes, "Worker", Failing)
    job, key = job_of(run), ("torch", CPU["torch"], 1, False)
    events = list(Node(tmp_path / "own").run(key, [run], [job], "two", sent=True, keeps=False))
    assert events[:2] == [("progress", ("images trained", 1, 2)), ("note", "a sentence")]
    (failed, files) = events[2:]
    assert failed[0] == "failed" and type(failed[1]) is kind and str(failed[1]).startswith(said)
    assert files == ("files", {"log.txt": b"what happened"})
    words, there = seen
    assert words == (*key, tmp_path / "own")
    assert there.checkpoint.parent == there.folder.parent != job.checkpoint.parent
    assert {there.images / "pixels.npy", there.images / "index.json", there.jpeg} == {
        tmp_path / "own" / place for place in parcels(job)
    }
    assert not there.folder.exists()
