import base64
import zlib

from helpers.bench.packing import pack, packed_plotly


def unpacked(text: str) -> str:
    return zlib.decompress(base64.b85decode(text.replace(",", "<"))).decode()


def test_what_is_packed_comes_back_and_cannot_end_a_script() -> None:
    words = "</script><!-- <script> ünïcode " * 50
    assert unpacked(pack(words)) == words
    assert "<" not in pack(words)
    assert "/" not in pack(words)


def test_plotly_is_packed_to_less_than_two_fifths() -> None:
    assert len(packed_plotly()) < 0.4 * len(unpacked(packed_plotly()))
