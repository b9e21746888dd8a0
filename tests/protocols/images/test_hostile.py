"""A server that means ill: whatever it answers, one sentence, and nothing of it is used."""

import http.server
import io
import threading
import zipfile

import pytest

from protocols import download
from protocols.errors import RequestError
from protocols.images.archive import COMMIT, install, unpack
from tests.support.loopback import ENTRIES, FILES, packed

BYTES = b"x" * 1000


def answer(*headers, body=BYTES, status="200 OK"):
    lines = [f"HTTP/1.1 {status}", *headers, "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked += 1
        self.close_connection = True
        self.wfile.write(self.server.answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    """Sends its `answer`, byte for byte."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads, server.asked = True, 0
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


LENGTHS = ["abc", "5, 5", "1e9", "-5", "+1000", "1_000", "\u00b9", "9" * 5000]
ANSWERS = {
    **{f"length {text[:9]!a}": answer(f"Content-Length: {text}") for text in LENGTHS},
    "two lengths": answer("Content-Length: 1000", "Content-Length: 1000"),
    "a length beyond all": answer(f"Content-Length: {10**18 - 1}"),
    "chunks of no number": answer("Transfer-Encoding: chunked", body=b"zz\r\nabc\r\n"),
    "no status": b"what?\r\n\r\n",
    "a status of words": answer(status="fine OK"),
    "a status below all": answer(status="0 OK"),
    "a status above all": answer(status="9999999999 OK"),
    "a header without end": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000,
    "headers without end": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200,
    "nothing": b"",
    "terminal": answer(status="404 \x1b[2J\x07gone\x9b1m"),
}
for number, address in enumerate((
    "http://[", "http://[::1", "http://a..b/", "http://.x/", f"http://{'x' * 64}.y/",
    "http://a:port/", "http://a:99999999/", "file:///etc/passwd", "gopher://x/", "//", "http://",
    "http:///x", "http://\x01/", "ftp://127.0.0.1:1/x", "http://\xff\xfe/", "http://x:@:/",
)):  # fmt: skip
    ANSWERS[f"redirect {number}"] = answer(f"Location: {address}", status="302 Found")


@pytest.mark.parametrize("sent", ANSWERS.values(), ids=ANSWERS.keys())
def test_any_answer_is_a_sentence(server, tmp_path, sent):
    server.answer = sent
    target = tmp_path / "cache" / "file.zip"
    with pytest.raises(RequestError) as error:
        download.fetch(server.url, target, timeout=2)
    said = str(error.value)
    assert said.startswith(f"The images can't be downloaded from {server.url} (")
    assert said.endswith("--data DIR, or try again.") and said.isprintable() and len(said) < 400
    assert not target.exists()


def test_a_file_without_end_is_cut_off(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "MOST", 500, raising=False)
    server.answer = answer()  # says no length
    with pytest.raises(RequestError, match="an answer of more than 500 bytes"):
        download.fetch(server.url, tmp_path / "file")
    assert (tmp_path / "file.part").stat().st_size == 0


def archive(method, change=None, **more):
    """The right files, packed by `method`, then spoiled."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", method) as pack:
        for name, data in (FILES | more).items():
            pack.writestr(f"wbc-{COMMIT}/{name}", data)
    made = bytearray(body.getvalue())
    if change:
        change(made)
    return bytes(made)


def damage(made, skip=0):
    """In the packed bytes of the last file."""
    at = made.rindex(b"x.jpeg", 0, made.index(b"PK\x01\x02")) + 6 + skip
    made[at : at + 14 - skip] = bytes(255 - b for b in made[at : at + 14 - skip])


def damage_lzma(made):
    """Behind the four bytes of its own that a zip has there: the LZMA properties."""
    damage(made, 4)


def flags(bits):
    def change(made):
        for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            place = made.index(mark) + at
            made[place : place + 2] = bits.to_bytes(2, "little")

    return change


def bad_name(made):
    flags(0x800)(made)
    place = made.index(b"PK\x01\x02") + 46
    made[place] = 0xFF


ARCHIVES = {
    "LZMA": archive(zipfile.ZIP_LZMA, damage_lzma),
    "BZIP2": archive(zipfile.ZIP_BZIP2, damage),
    "deflated": archive(zipfile.ZIP_DEFLATED, damage),
    "encrypted": archive(zipfile.ZIP_STORED, flags(1)),
    "patched": archive(zipfile.ZIP_STORED, flags(0x20)),
    "a name in no encoding": archive(zipfile.ZIP_STORED, bad_name),
    "a directory elsewhere": archive(zipfile.ZIP_STORED)[:-6] + b"\xff\xff\xff\xff\0\0",
    "no directory": archive(zipfile.ZIP_STORED)[:-30],
}


@pytest.mark.parametrize("body", ARCHIVES.values(), ids=ARCHIVES.keys())
def test_any_archive_is_a_sentence(server, tmp_path, body):
    server.answer = answer(f"Content-Length: {len(body)}", body=body)
    folder = tmp_path / "cache" / "data"
    with pytest.raises(RequestError, match=r"not the images .*was deleted: try again") as error:
        install(ENTRIES, folder, base=server.url)
    assert len(str(error.value).splitlines()) == 1
    assert list(folder.parent.iterdir()) == []


def test_the_right_archive_is_taken(server, tmp_path):
    """So the ones above are refused for what is wrong with them."""
    for body in (packed(FILES), archive(zipfile.ZIP_DEFLATED), archive(zipfile.ZIP_STORED)):
        server.answer = answer(f"Content-Length: {len(body)}", body=body)
        install(ENTRIES, tmp_path / str(len(body)), base=server.url)


def test_a_member_says_less_than_it_unpacks_to(tmp_path):
    """A bomb: no more than the size that was looked for is ever unpacked."""
    bomb = bytes(30_000_000)
    body = bytearray(archive(zipfile.ZIP_DEFLATED, **{"labels.csv": bomb}))
    size = len(FILES["labels.csv"]).to_bytes(4, "little")
    for _ in range(2):
        at = body.index(len(bomb).to_bytes(4, "little"))
        body[at : at + 4] = size
    (tmp_path / "file.zip").write_bytes(body)
    with pytest.raises(RequestError, match=r"labels\.csv is missing or altered"):
        unpack(tmp_path / "file.zip", ENTRIES, tmp_path / "data")
