"""The same weights in a larger form: a GGUF file of small blocks unpacked to 16 or 32 bit.

So two servers can be of different size and give answers of the same worth, without a second model:
every weight of a block is written out as the number that it stands for. With 32 bit nothing is
rounded. Formats, as ggml documents them: GGUF 3 (docs/gguf.md); a block of Q4_1 are 32 weights
d q + m, d and m in 16 bit and q in 16 byte of two halves, low halves first; a block of Q8_0 are 32
weights d q, d in 16 bit and q in 32 byte.
"""

from __future__ import annotations

import argparse
import dataclasses
import math
import struct
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

F32, F16, Q4_1, Q8_0 = 0, 1, 3, 8
BLOCK_BYTE: Final = {Q4_1: 20, Q8_0: 34}
BLOCK_WEIGHTS: Final = 32
ALIGN_BYTE: Final = 32
_WIDTHS: Final = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9
_FILE_TYPE: Final = b"general.file_type"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """One tensor of a file: name and shape as its bytes, number of weights, type, place."""

    head: bytes
    count: int
    kind: int
    offset: int


class Reader:
    """Walks over the head of a file."""

    def __init__(self, data: memoryview) -> None:
        self.data, self.at = data, 0

    def number(self, form: str) -> int:
        """The next number of a form of `struct`."""
        (value,) = struct.unpack_from(f"<{form}", self.data, self.at)
        self.at += struct.calcsize(f"<{form}")
        return int(value)

    def text(self) -> bytes:
        """The next text."""
        length = self.number("Q")
        self.at += length
        return bytes(self.data[self.at - length : self.at])

    def skip(self, kind: int) -> None:
        """Pass over a value of a type."""
        if kind == _STRING:
            self.text()
        elif kind == _ARRAY:
            inner, count = self.number("I"), self.number("Q")
            for _ in range(count):
                self.skip(inner)
        else:
            self.at += _WIDTHS[kind]

    def tensor(self) -> Tensor:
        """The next entry of the table of tensors."""
        start = self.at
        self.text()
        shape = [self.number("Q") for _ in range(self.number("I"))]
        head = bytes(self.data[start : self.at])
        kind, offset = self.number("I"), self.number("Q")
        return Tensor(head=head, count=math.prod(shape), kind=kind, offset=offset)


def unpack(source: Path, target: Path, kind: int = F32) -> None:
    """Write a model with all blocks as plain numbers of `F32` or `F16`.

    Raises:
        ValueError: It is no GGUF 3, or has blocks of another type.
    """
    data = memoryview(np.memmap(source, dtype=np.uint8, mode="r"))
    reader = Reader(data)
    if bytes(data[:4]) != b"GGUF" or struct.unpack_from("<I", data, 4) != (3,):
        raise ValueError(f"expected a file of GGUF 3; {source} is none.")
    reader.at = 8
    tensors, values = reader.number("Q"), reader.number("Q")
    head = bytearray()
    for _ in range(values):
        if reader.text() == _FILE_TYPE:
            head += data[len(head) : reader.at + 4]
            head += struct.pack("<I", kind)
            reader.skip(reader.number("I"))
        else:
            reader.skip(reader.number("I"))
    head += data[len(head) : reader.at]
    table = [reader.tensor() for _ in range(tensors)]
    body = data[_aligned(reader.at) :]
    with target.open("wb") as file:
        _write(file, bytes(head), table, body, kind)


def _write(file: BinaryIO, head: bytes, table: list[Tensor], body: memoryview, kind: int) -> None:
    """Head, table with the new types and places, and the weights."""
    file.write(head)
    offset = 0
    for tensor in table:
        new = kind if tensor.kind in BLOCK_BYTE else tensor.kind
        file.write(tensor.head + struct.pack("<IQ", new, offset))
        offset += _aligned(tensor.count * (2 if new == F16 else 4))
    for tensor in table:
        file.write(bytes(_aligned(file.tell()) - file.tell()))
        weights = _weights(tensor, body)
        keep = tensor.kind not in BLOCK_BYTE or kind == F32
        file.write((weights if keep else weights.astype(np.float16)).tobytes())
    file.write(bytes(_aligned(file.tell()) - file.tell()))


def _weights(tensor: Tensor, body: memoryview) -> NDArray[np.float32]:
    """The weights of a tensor as numbers of 32 bit."""
    if tensor.kind == F32:
        return np.frombuffer(body, np.float32, tensor.count, tensor.offset)
    if tensor.kind not in BLOCK_BYTE:
        raise ValueError(f"expected weights of type F32, Q4_1 or Q8_0; got type {tensor.kind}.")
    width = BLOCK_BYTE[tensor.kind]
    blocks = np.frombuffer(
        body, np.uint8, tensor.count // BLOCK_WEIGHTS * width, tensor.offset
    ).reshape(-1, width)
    scale = blocks[:, :2].copy().view(np.float16).astype(np.float32)
    if tensor.kind == Q8_0:
        return scale * blocks[:, 2:].view(np.int8)
    least = blocks[:, 2:4].copy().view(np.float16).astype(np.float32)
    halves = np.concatenate([blocks[:, 4:] & 0x0F, blocks[:, 4:] >> 4], axis=1)
    return scale * halves + least


def _aligned(byte: int) -> int:
    return -(-byte // ALIGN_BYTE) * ALIGN_BYTE


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--bits", type=int, choices=(16, 32), default=32)
    arguments = parser.parse_args()
    unpack(arguments.source, arguments.target, F16 if arguments.bits == 16 else F32)
