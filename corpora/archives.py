"""Read the members of a package file: .deb, .tgz, sdist, wheel, .crate; and files inside them.

Members are only ever read into memory, never extracted by their own names.
"""
import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib

MAX_MEMBER = 96 << 20


def _deb(data, wanted):
    """data.tar of a Debian package (an `ar` archive)."""
    if data[:8] != b"!<arch>\n":
        raise ValueError("not a Debian package")
    at = 8
    while at + 60 <= len(data):
        name, size = data[at:at + 16].decode("ascii").strip().rstrip("/"), int(data[at + 48:at + 58])
        body = data[at + 60:at + 60 + size]
        if name.startswith("data.tar"):
            opener = {"data.tar.xz": lzma.decompress, "data.tar.gz": gzip.decompress,
                      "data.tar.bz2": bz2.decompress, "data.tar": bytes}.get(name)
            if opener is None:
                raise ValueError(name + " is packed in a way this tool cannot read")
            return _tar(io.BytesIO(opener(body)), wanted)
        at += 60 + size + (size & 1)
    raise ValueError("no data.tar in the Debian package")


def _tar(file, wanted):
    with tarfile.open(fileobj=file, mode="r:*") as tar:
        for member in tar:
            name = member.name[2:] if member.name.startswith("./") else member.name
            if member.isfile() and 0 < member.size <= MAX_MEMBER and wanted(name):
                yield name, tar.extractfile(member).read()


def _zip(file, wanted):
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if 0 < info.file_size <= MAX_MEMBER and not info.is_dir() and wanted(info.filename):
                yield info.filename, archive.read(info)


def members(path, wanted):
    """(name, bytes) of the plain files of a package whose name is wanted, in the archive's order."""
    with open(path, "rb") as file:
        magic = file.read(8)
        file.seek(0)
        if magic == b"!<arch>\n":
            yield from _deb(file.read(), wanted)
        elif magic[:4] == b"PK\x03\x04":
            yield from _zip(file, wanted)
        else:
            yield from _tar(file, wanted)


def nested(name, data, wanted):
    """Members of a zip or tar file inside a package as `name!/member`."""
    read = _zip if data[:4] == b"PK\x03\x04" else _tar
    for inner, body in read(io.BytesIO(data), lambda inner: wanted(name + "!/" + inner)):
        yield name + "!/" + inner, body


def plain(name, data):
    """Gzip, bzip2 and dictd wrappers taken off, with their suffix."""
    for suffix, opener in ((".gz", gzip.decompress), (".dz", gzip.decompress),
                           (".svgz", gzip.decompress), (".bz2", bz2.decompress),
                           (".xz", lzma.decompress)):
        if name.endswith(suffix):
            try:
                return name[:-len(suffix)] or name, opener(data)
            except (OSError, EOFError, zlib.error, lzma.LZMAError):
                return name, b""
    return name, data
