"""Which kind of picture some bytes are: judged by the bytes, never by a file's name or what a browser says."""

LARGEST = 200_000
"""A logo has at most so many bytes."""


def kind_of(content: bytes) -> str | None:
    """Return the content type of a PNG, JPEG or WebP picture; None for anything else, broken ones included."""
    if (
        content.startswith(b"\x89PNG\r\n\x1a\n")
        and content[12:16] == b"IHDR"
        and content.rstrip(b"\0")[-8:-4] == b"IEND"
    ):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff") and content.rstrip(b"\0").endswith(b"\xff\xd9"):
        return "image/jpeg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP" and len(content) >= int.from_bytes(content[4:8], "little"):
        return "image/webp"
    return None
