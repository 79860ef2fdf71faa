"""Responses kept by request, so that the same request need not be sent again.

An entry is the response body as it came, in `DIR/ab/cdef….json`, named by the SHA-256 of the URL and the request body.
An entry is judged like any response when it is read: a damaged one counts as a miss.
"""

import os
from typing import NamedTuple

from qwen_cli.errors import InvalidUsage, LocalError
from qwen_cli.output.file_replacement import check_replaceable, replace_file


class CacheOptions(NamedTuple):
    """The folder of the cache, and whether nothing may be sent."""

    cache: str | None = None
    cache_only: bool = False


class Cache(NamedTuple):
    """A folder of responses, which many processes may share."""

    folder: str
    only: bool = False

    def read(self, url: str, body: bytes) -> bytes | None:
        """The response to that request; None if there is none."""
        try:
            with open(self._path(url, body), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LocalError(f"cannot read the cache in {self.folder}: {error.strerror}") from error

    def keep(self, url: str, body: bytes, response: bytes) -> None:
        """Keep the response; to be called from the main thread."""
        path = self._path(url, body)
        self._make_folder(os.path.dirname(path))
        replace_file(path, response)

    def check(self) -> None:
        """LocalError if nothing can be kept, before anything is sent."""
        self._make_folder(self.folder)
        check_replaceable(os.path.join(self.folder, "entry"))

    def _make_folder(self, folder: str) -> None:
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
        except OSError as error:
            raise LocalError(f"cannot write the cache in {self.folder}: {error.strerror}") from error

    def _path(self, url: str, body: bytes) -> str:
        import hashlib  # brings OpenSSL, which takes longer to load than all the rest of this

        digest = hashlib.sha256(url.encode() + b"\n" + body).hexdigest()
        return os.path.join(self.folder, digest[:2], f"{digest[2:]}.json")


def open_cache(options: CacheOptions) -> Cache | None:
    """The cache that the options name, if any; LocalError if answers cannot be kept in it."""
    if options.cache is None:
        if options.cache_only:
            raise InvalidUsage("--cache-only needs --cache DIR")
        return None
    cache = Cache(options.cache, options.cache_only)
    if not cache.only:
        cache.check()
    return cache
