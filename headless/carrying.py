"""Files out, by tus 1.0.0, and in, by their digest (protocol section 6a). Part of the terminal."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any, BinaryIO

from headless.chain import b64u
from headless.errors import Broken, Problem
from headless.luggage import REFUSED, WAITING, Item
from headless.vigilance import Vigilant

FILES, UPLOADS = "/v1/files", "/v1/files/uploads"
PIECE = 512 * 1024  # bytes of a request: what a lost one costs on a bad line
TRIES = 5
_SPOKEN = {"Tus-Resumable": "1.0.0"}
_NUMBER = re.compile(r"\d{1,12}", re.ASCII)


class Carrying(Vigilant):
    """The way of a file from the device to the server."""

    def attach(self, content: bytes, type_: str) -> str:
        """Keep a file that an operation will name by the digest that is returned; it goes with the next `upload`.

        `type_`: its media type, one of those that the server takes (protocol section 6a). Raises Refused.
        """
        return self.store.stow(content, type_)

    def upload(self) -> list[str]:
        """Send what has not come. Returns digests of files that the server has by now.

        One that the server refuses for what it is stays here, marked; one for which it has no room waits for the next
        time. Raises Frozen, Problem, Offline, Broken; whatever has come by then has come.
        """
        with self._vigil(), self.store.lead.held():
            head = self.store.head()
            if head is not None:
                self.store.offer_again(head.epoch)
            come = [item.digest for item in self.store.carried(WAITING) if self._carry(item)]
            self.store.unload()
            return come

    def fetch_file(self, digest: str, into: BinaryIO) -> None:
        """A file that some record in the officer's scope names; what `into` has already is not asked for again.

        Raises Problem (`route.unknown`: it has not come, or is not for him), NotSignedIn, Offline, Broken.
        """
        into.seek(0)
        self._authorised(lambda token: self.wire.fetch(self._key(), f"{FILES}/{digest}", token, into))
        into.seek(0)
        if b64u(hashlib.sha256(into.read()).digest()) != digest:
            raise Broken(f"file {digest}: other bytes than its name says")

    def _carry(self, item: Item) -> bool:
        """Whether the server has the file whole now."""
        if not self._whole(item):
            self.store.mark(item.digest, state=REFUSED, problem="file.digest")
            return False
        for _ in range(TRIES):
            try:
                self._send(self.store.carried_one(item.digest))
            except Problem as problem:
                if problem.status == 404 or problem.code == "file.digest":
                    self.store.mark(item.digest, upload=None)  # it ran out, or was spoilt over there
                elif problem.code == "upload.checksum":
                    continue
                elif problem.code.startswith("file."):
                    self.store.mark(item.digest, state=REFUSED, problem=problem.code)
                    return False
                elif problem.code in ("upload.unpromised", "upload.busy", "server.busy", "terminal.revoked"):
                    return False
                elif problem.code != "upload.offset":
                    raise self._refused(problem) from problem
            else:
                self.store.mark(item.digest, state="come")
                return True
        return False

    def _whole(self, item: Item) -> bool:
        """Whether the file is still what it was when it was attached."""
        try:
            return b64u(hashlib.sha256(self.store.content(item.digest).read_bytes()).digest()) == item.digest
        except FileNotFoundError:
            return False

    def _send(self, item: Item) -> None:
        """Begins or goes on, to the last byte. Raises Problem."""
        upload, offset = self._begin(item) if item.upload is None else (item.upload, self._stands(item.upload))
        if item.upload is None:
            self.store.mark(item.digest, upload=upload)
        with self.store.content(item.digest).open("rb") as file:
            while offset < item.size:
                file.seek(offset)
                content = file.read(PIECE)
                sum_ = base64.b64encode(hashlib.sha256(content).digest()).decode()
                headers = {"Upload-Offset": str(offset), "Upload-Checksum": f"sha256 {sum_}"}
                told = self._tus("PATCH", f"{UPLOADS}/{upload}", headers, content)
                before, offset = offset, _offset(told)
                if not before < offset <= item.size:
                    raise Broken(f"upload {upload}: {offset} after {before}")

    def _begin(self, item: Item) -> tuple[str, int]:
        said = {"digest": item.digest, "filetype": item.type}
        metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())
        told = self._tus("POST", FILES, {"Upload-Length": str(item.size), "Upload-Metadata": metadata}, None)
        return told["location"].rpartition("/")[2], _offset(told)

    def _stands(self, upload: str) -> int:
        return _offset(self._tus("HEAD", f"{UPLOADS}/{upload}", {}, None))

    def _tus(self, method: str, path: str, headers: Mapping[str, str], content: bytes | None) -> Mapping[str, Any]:
        return self.wire.tell(self._key(), method, path, {**_SPOKEN, **headers}, content)


def _offset(told: Mapping[str, Any]) -> int:
    text = told.get("upload-offset", "")
    if not _NUMBER.fullmatch(text):
        raise Broken(f"Upload-Offset: {text!r}")
    return int(text)
