"""A server on loopback whose paths misbehave as their first folder says, and small files in the published formats."""

import gzip
import hashlib
import http.server
import io
import struct
import tarfile
import threading
from collections import Counter
from dataclasses import replace

import numpy as np

from vaecourse.data.registry import File


def idx(array: np.ndarray, type_code: int = 8) -> bytes:
    """An IDX file of unsigned bytes, gzipped without a time stamp."""
    header = struct.pack(f">HBB{array.ndim}I", 0, type_code, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0)


def mat(**arrays: np.ndarray) -> bytes:
    """A MATLAB file, level 5, compressed as the published ones are."""
    from scipy.io import savemat

    content = io.BytesIO()
    savemat(content, arrays, do_compression=True)
    return content.getvalue()


def tar_gz(members: dict[str, bytes]) -> bytes:
    """A gzipped tar archive."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, member in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(member)
            archive.addfile(info, io.BytesIO(member))
    return content.getvalue()


def flip(content: bytes, bit: int) -> bytes:
    """The content with one bit flipped."""
    flipped = bytearray(content)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


def tiny_mnist() -> dict[str, bytes]:
    """Four IDX files of 50 and 20 images."""
    random = np.random.default_rng(0)
    contents = {}
    for prefix, size in (("train", 50), ("t10k", 20)):
        contents[f"{prefix}-images-idx3-ubyte.gz"] = idx(random.integers(0, 256, (size, 28, 28)))
        contents[f"{prefix}-labels-idx1-ubyte.gz"] = idx(np.arange(size) % 10)
    return contents


def sha256(content: bytes) -> str:
    """A checksum as a registry writes it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def described(contents: dict[str, bytes], with_content: bool = True) -> dict[str, File]:
    """What a registry would say of these gzip files."""
    known = {name: File(sha256(file), len(file)) for name, file in contents.items()}
    if with_content:
        known = {name: replace(file, content=sha256(gzip.decompress(contents[name]))) for name, file in known.items()}
    return known


def npz(compressed: bool = False, **arrays: np.ndarray) -> bytes:
    """NumPy's archive of arrays."""
    content = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(content, **arrays)
    return content.getvalue()


class Mirrors(http.server.ThreadingHTTPServer):
    """Serves contents by name, or what each behaviour makes of them; counts requests by path."""

    request_queue_size = 64
    daemon_threads = True

    def __init__(self, contents: dict[str, bytes]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.contents, self.requests, self.closing = contents, [], threading.Event()

    def url(self, behaviour: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{behaviour}/"

    def handle_error(self, request, client_address):
        """A client that turns away from a bad mirror is no error."""

    def __enter__(self):
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.closing.set()
        self.shutdown()
        self.thread.join()
        self.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        _, behaviour, name = self.path.split("/")
        self.server.requests.append(self.path)
        seen = Counter(self.server.requests)[self.path]
        kind, _, number = behaviour.partition(":")
        number = int(number or 0)
        content = self.server.contents[name]
        self.close_connection = True
        match kind:
            case "good":
                self.answer(200, content)
            case "status":
                self.answer(number, b"no")
            case "recovers":  # 503 so many times
                self.answer(*((503, b"later") if seen <= number else (200, content)))
            case "redirect":
                self.answer(302, b"", location=self.server.url("good") + name)
            case "circle":
                self.answer(302, b"", location=self.path)
            case "html":
                self.answer(200, b"\n<!DOCTYPE html><html>Sign in to continue</html>")
            case "cut":  # breaks off after so many bytes
                self.answer(200, content[:number], length=len(content))
            case "short":  # says that these are all bytes
                self.answer(200, content[:number])
            case "unsized":  # says nothing of the length
                self.answer(200, content[:number], length=None)
            case "chunked":
                self.answer(200, b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content), None, transfer_encoding="chunked")
            case "wrong":
                self.answer(200, flip(content, number))
            case "long":
                self.answer(200, content + b"\n")
            case "encoded":  # a server that takes the file's own compression for the transfer's
                self.answer(200, content, content_encoding="gzip")
            case "hangs":
                self.server.closing.wait(30)
            case "stalls":  # after the first bytes
                self.answer(200, content[:number], length=len(content))
                self.server.closing.wait(30)
            case "endless":  # says nothing of the length, and never stops
                self.answer(200, content, length=None)
                while not self.server.closing.is_set():
                    self.wfile.write(bytes(2**16))
            case "drips":  # a header of one byte every 0.05 s
                self.drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a")
            case "drips-chunks":  # the length of the first chunk, in as many zeros
                self.answer(200, b"", length=None, transfer_encoding="chunked")
                self.drip(b"", b"0")
            case "drips-body":  # fast enough for anyone's patience, and without end
                self.answer(200, b"", length=None)
                self.drip(b"", content[:50] * 20)
            case "trickles":
                self.answer(200, b"", length=len(content))
                for byte in content:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    if self.server.closing.wait(0.02):
                        break

    def drip(self, first, piece):
        self.wfile.write(first)
        while not self.server.closing.wait(0.05):
            self.wfile.write(piece)
            self.wfile.flush()

    def answer(self, status, body, length=-1, **headers):
        self.send_response(status)
        self.send_header("Connection", "close")
        if length is not None:
            self.send_header("Content-Length", str(len(body) if length == -1 else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *arguments):
        pass
