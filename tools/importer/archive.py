"""zip archives, whose members say how large they are and how they are packed, and need not be honest.
What is unpacked is bounded by the archive's own size."""
import io
import zipfile

from .errors import ImportFailure

# Weights hardly compress, and torch and Keras do not try; zeros compress a thousandfold.  A bomb of
# them is no network.
_FREE, _MULTIPLE = 64 << 20, 16
# Of what is parsed, and takes more in memory than it has bytes.
_FREE_TEXT = 1 << 18
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # of others zipfile unpacks all at once


class Archive:
    def __init__(self, data):
        try:
            self.file = zipfile.ZipFile(io.BytesIO(data))
        except Exception as error:  # zipfile raises many kinds on malformed archives
            raise ImportFailure(f"damaged or truncated zip archive: {error}") from None
        self.names = self.file.namelist()
        self.size = len(data)
        self.left = _FREE + _MULTIPLE * self.size

    def read(self, name):
        """A member's bytes."""
        return self._read(name, self.left)

    def text(self, name):
        """The same of one that is to be parsed."""
        return self._read(name, _FREE_TEXT + _MULTIPLE * self.size)

    def _read(self, name, limit):
        try:
            info = self.file.getinfo(name)
            if info.file_size > min(limit, self.left):
                raise ImportFailure(f"{name} unpacks to {info.file_size} bytes, in a file of "
                                    f"{self.size}: refused")
            if info.compress_type not in _METHODS:
                raise ImportFailure(f"{name} is compressed by another method than deflate")
            self.left -= info.file_size
            with self.file.open(info) as member:
                values = member.read(info.file_size)
            if len(values) != info.file_size:
                raise ImportFailure(f"{name} is damaged: {len(values)} of {info.file_size} bytes")
            return values
        except ImportFailure:
            raise
        except KeyError:
            raise ImportFailure(f"{name} is not in the archive") from None
        except Exception as error:  # as above
            raise ImportFailure(f"{name} is damaged: {error}") from None
