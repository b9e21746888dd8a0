"""Whatever a server does, only a complete archive of the right files is ever used."""

import errno
import fcntl
import time
import zipfile

import pytest

from protocols import download
from protocols.errors import RequestError
from protocols.files import locked
from protocols.images import dataset, integrity
from protocols.images.archive import COMMIT, install
from protocols.images.phantom import write_phantom
from tests.support.loopback import BODY, ENTRIES, FILES, packed, serving


@pytest.fixture
def server():
    with serving() as server:
        yield server


@pytest.fixture
def target(tmp_path):
    return tmp_path / "cache" / "file.zip"


def brought(phantom_allowed, cache, url):
    """What --data auto ends with."""
    found = dataset.locate("auto", phantom_allowed, cache)
    return dataset.made(found, phantom_allowed, cache, base_url=url)


def part_of(target):
    return target.with_name(target.name + ".part")


def test_a_whole_file_arrives_with_progress(server, target):
    calls = []
    download.fetch(server.url, target, lambda *call: calls.append(call))
    assert target.read_bytes() == BODY and not part_of(target).exists()
    assert calls[-1][1:] == (len(BODY), len(BODY))


def test_a_cut_is_resumed_where_it_was(server, target):
    server.cuts = [300_000, 200_000]
    download.fetch(server.url, target)
    assert [place for _, place in server.asked] == [None, "bytes=300000-", "bytes=500000-"]
    assert target.read_bytes() == BODY


def test_a_later_call_resumes_and_meanwhile_nothing_is_used(server, target):
    server.cuts = [100_000] * download.TRIES
    with pytest.raises(RequestError, match=r"connection was cut, 0\.4 MB are kept"):
        download.fetch(server.url, target)
    assert not target.exists() and part_of(target).stat().st_size == 400_000
    download.fetch(server.url, target)
    assert server.asked[-1][1] == "bytes=400000-" and target.read_bytes() == BODY


def test_a_server_that_cannot_resume_starts_over(server, target):
    server.ranges, server.cuts = False, [300_000]
    download.fetch(server.url, target)
    assert target.read_bytes() == BODY


def test_a_part_longer_than_the_file_starts_over(server, target):
    target.parent.mkdir()
    part_of(target).write_bytes(b"x" * (len(BODY) + 7))
    download.fetch(server.url, target)
    assert target.read_bytes() == BODY


def test_an_answer_for_another_place_is_refused(server, target):
    server.wrong_place = True
    target.parent.mkdir()
    part_of(target).write_bytes(BODY[:100])
    with pytest.raises(RequestError, match="unexpected answer, 206 bytes 0-"):
        download.fetch(server.url, target)
    assert not target.exists()


@pytest.mark.parametrize("status", [404, 503])
def test_an_error_status_is_said(server, target, status):
    server.status = status
    with pytest.raises(RequestError, match=f"answer {status}.*--data DIR"):
        download.fetch(server.url, target)
    assert len(server.asked) == 1 and not target.exists()


def test_a_silent_server_is_given_up(server, target):
    server.delay = 3
    start = time.monotonic()
    with pytest.raises(RequestError, match="timed out"):
        download.fetch(server.url, target, timeout=0.3)
    assert time.monotonic() - start < 2


def test_a_hanging_name_lookup_is_given_up(target, monkeypatch):
    monkeypatch.setattr(download.urllib.request, "urlopen", lambda *_, **__: time.sleep(30))
    start = time.monotonic()
    with pytest.raises(RequestError, match=r"no answer in 0\.2 s"):
        download.fetch("http://example.invalid", target, timeout=0.2)
    assert time.monotonic() - start < 3


def test_no_server_fails_at_once(target):
    start = time.monotonic()
    with pytest.raises(RequestError, match="refused"):
        download.fetch("http://127.0.0.1:9", target)
    assert time.monotonic() - start < 2


def test_two_processes_do_not_write_one_file(target):
    target.parent.mkdir()
    said = pytest.raises(RequestError, match="Another process is downloading")
    with locked(part_of(target), RequestError("held")), said:
        download.fetch("http://127.0.0.1:9", target)


def test_a_file_system_without_locks_keeps_nothing_out(tmp_path, monkeypatch):
    def none(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    busy = RequestError("held")
    with locked(tmp_path / "x.part", busy), locked(tmp_path / "x.part", busy):
        pass


def test_images_on_their_way_are_not_replaced_by_the_phantom(tmp_path, monkeypatch):
    monkeypatch.delenv("WBC_DATA", raising=False)
    archive = tmp_path / f"data-{COMMIT[:12]}.zip"
    said = pytest.raises(RequestError, match="Another process is downloading")
    with locked(part_of(archive), RequestError("held")), said:
        brought(True, tmp_path, "http://127.0.0.1:9")
    assert not list(tmp_path.glob("phantom-*"))


def test_only_the_files_of_the_manifest_are_installed(server, tmp_path):
    server.body = packed(FILES | {"README.md": b"no", "../../evil": b"no"})
    folder = tmp_path / "cache" / "data"
    install(ENTRIES, folder, base=server.url)
    there = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert there == set(FILES) and sorted(p.name for p in tmp_path.rglob("*.zip*")) == []
    assert server.asked[0][0] == f"/archive/{COMMIT}.zip"
    assert [p.name for p in tmp_path.iterdir()] == ["cache"]
    assert [p.name for p in folder.parent.iterdir()] == ["data"]


@pytest.mark.parametrize(
    "files",
    [
        FILES | {"labels.csv": b"a,c\n"},
        FILES | {"labels.csv": b"a,b\n\n"},
        {"labels.csv": FILES["labels.csv"]},
        None,
    ],
    ids=["altered", "longer", "missing", "no zip"],
)
def test_wrong_bytes_leave_nothing_behind(server, tmp_path, files):
    server.body = packed(files) if files else BODY
    folder = tmp_path / "cache" / "data"
    with pytest.raises(RequestError, match=r"not the images .*was deleted: try again"):
        install(ENTRIES, folder, base=server.url)
    assert list(folder.parent.iterdir()) == []
    server.body = packed(FILES)
    install(ENTRIES, folder, base=server.url)
    assert folder.is_dir()


def test_a_member_of_another_size_is_not_even_unpacked(server, tmp_path, monkeypatch):
    server.body = packed(FILES | {"labels.csv": bytes(1_000_000)})
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("it was unpacked"))
    with pytest.raises(RequestError, match=r"labels\.csv is missing or altered"):
        install(ENTRIES, tmp_path / "data", base=server.url)


def test_auto_downloads_into_the_cache(server, tmp_path, monkeypatch):
    root = tmp_path / "set"
    write_phantom(root, 1, 1, 1)
    manifest = tmp_path / "manifest.csv.gz"
    manifest.write_bytes(dataset.make_manifest(root))
    monkeypatch.setattr(dataset, "MANIFEST", manifest)
    monkeypatch.delenv("WBC_DATA", raising=False)
    files = (path for path in root.rglob("*") if path.is_file())
    server.body = packed({p.relative_to(root).as_posix(): p.read_bytes() for p in files})
    server.cuts = [5000]
    cache = tmp_path / "cache"
    source = brought(False, cache, server.url)
    assert (source.kind, source.root, source.how) == ("real", cache / "data", "download")
    integrity.verify(source)
    asked = len(server.asked)
    assert brought(False, cache, server.url).how == "the cache"
    assert len(server.asked) == asked == 2


def test_a_cache_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "cache").write_text("a file", encoding="utf-8")
    with pytest.raises(RequestError, match=r"can't be written .*--cache DIR"):
        install(ENTRIES, tmp_path / "cache" / "data", base="http://127.0.0.1:9")
