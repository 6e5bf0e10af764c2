"""Well-known convolutional networks, drawn from their papers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tree6g.compute.model.convolution import Drawing, Network, Shape
from tree6g.compute.model.generators import edsr, pix2pix
from tree6g.errors import DataError, nearest

CLASSES: Final = 1000
_VGG: Final[Mapping[int, tuple[int, ...]]] = {  # convolutions per stage
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
_RESNET: Final[Mapping[int, tuple[tuple[int, ...], bool]]] = {  # blocks per stage, bottlenecks
    18: ((2, 2, 2, 2), False),
    34: ((3, 4, 6, 3), False),
    50: ((3, 4, 6, 3), True),
    101: ((3, 4, 23, 3), True),
    152: ((3, 8, 36, 3), True),
}
# MobileNetV2, Table 2: expansion, channels, blocks, stride
_MOBILE: Final = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
)  # fmt: skip


def network(name: str, *, side_px: int | None = None) -> Network:
    """A network by name.

    Args:
        name: One of `NETWORKS`.
        side_px: Side of its square picture; its usual one if not given.

    Raises:
        DataError: No such network, or a picture that is too small for it.
    """
    key = name.strip().lower().replace("-", "_")
    if key not in NETWORKS:
        raise DataError(f"expected a convolutional network; got {name!r}. {nearest(key, NETWORKS)}")
    draw, usual = NETWORKS[key]
    return draw(key, (3, side_px or usual, side_px or usual))


def alexnet(name: str, shape: Shape) -> Network:
    """AlexNet in one column (Krizhevsky 2014, arXiv 1404.5997)."""
    d = Drawing(shape)
    _classic(d, "1", 64, 11, stride=4, padding=2, pool=True)
    _classic(d, "2", 192, 5, padding=2, pool=True)
    _classic(d, "3", 384, 3, padding=1)
    _classic(d, "4", 256, 3, padding=1)
    _classic(d, "5", 256, 3, padding=1, pool=True)
    _classifier(d)
    return d.done(name, shape)


def alexnet_caffe(name: str, shape: Shape) -> Network:
    """AlexNet in two columns on 227 pixels (Krizhevsky et al. 2012), one response norm."""
    d = Drawing(shape)
    d.conv("conv1", 96, 11, stride=4, padding=0, bias=True)
    d.same("relu1", "relu")
    d.same("norm1", "norm")
    d.pool("pool1", 3, stride=2)
    _classic(d, "2", 256, 5, padding=2, groups=2, pool=True)
    _classic(d, "3", 384, 3, padding=1)
    _classic(d, "4", 384, 3, padding=1, groups=2)
    _classic(d, "5", 256, 3, padding=1, groups=2, pool=True)
    _classifier(d)
    return d.done(name, shape)


def vgg(name: str, shape: Shape) -> Network:
    """VGG (Simonyan and Zisserman 2015, arXiv 1409.1556), configurations A, B, D and E."""
    d = Drawing(shape)
    for stage, count in enumerate(_VGG[int(name.removeprefix("vgg"))], start=1):
        for n in range(1, count + 1):
            d.conv(f"conv{stage}_{n}", 64 * 2 ** min(stage - 1, 3), 3, bias=True)
            d.same(f"relu{stage}_{n}", "relu")
        d.pool(f"pool{stage}", 2, stride=2)
    _classifier(d)
    return d.done(name, shape)


def resnet(name: str, shape: Shape) -> Network:
    """ResNet (He et al. 2016, arXiv 1512.03385), the stride in the middle of a bottleneck."""
    counts, deep = _RESNET[int(name.removeprefix("resnet"))]
    d = Drawing(shape)
    d.conv("stem.conv", 64, 7, stride=2, norm=True)
    d.pool("stem.pool", 3, stride=2, padding=1)
    for stage, count in enumerate(counts, start=1):
        for n in range(1, count + 1):
            stride = 2 if stage > 1 and n == 1 else 1
            with d.block(f"stage{stage}.block{n}"):
                _residual(d, 64 * 2 ** (stage - 1), stride=stride, deep=deep)
    d.mean("avgpool")
    d.linear("fc", CLASSES)
    return d.done(name, shape)


def mobilenet_v2(name: str, shape: Shape) -> Network:
    """MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381)."""
    d = Drawing(shape)
    d.conv("stem", 32, 3, stride=2, norm=True)
    for stage, (expansion, channels, count, first) in enumerate(_MOBILE, start=1):
        for n in range(1, count + 1):
            with d.block(f"stage{stage}.block{n}"):
                wide = d.shape[0] * expansion
                if expansion > 1:
                    d.conv("expand", wide, 1, norm=True)
                d.conv("depthwise", wide, 3, stride=first if n == 1 else 1, groups=wide, norm=True)
                d.conv("project", channels, 1, norm=True)
    d.conv("last", 1280, 1, norm=True)
    d.mean("avgpool")
    d.linear("fc", CLASSES)
    return d.done(name, shape)


def yolo(name: str, shape: Shape) -> Network:
    """A one-stage detector as large as YOLOv8n: 80 classes, three scales, no anchors.

    Scales are joined upwards and downwards; a block cut at a scale also needs the finer scales
    that are joined later, which a cut has to send besides.
    """
    d, kept = Drawing(shape), {}
    d.conv("stem", 16, 3, stride=2, norm=True)
    for stage, (channels, count) in enumerate(((32, 1), (64, 2), (128, 2), (256, 1)), start=1):
        d.conv(f"down{stage}", channels, 3, stride=2, norm=True)
        _split(d, f"stage{stage}", channels, count)
        kept[stage] = d.shape
    with d.block("pyramid"):
        d.conv("in", 128, 1, norm=True)
        d.reshape((512, *d.shape[1:]))
        d.conv("out", 256, 1, norm=True)
    top = d.shape
    middle = _join(d, "up1", top, kept[3])
    fine = _join(d, "up2", middle, kept[2])
    d.conv("down5", 64, 3, stride=2, norm=True)
    d.reshape((d.shape[0] + middle[0], *d.shape[1:]))
    _split(d, "join3", 128, 1)
    medium = d.shape
    d.conv("down6", 128, 3, stride=2, norm=True)
    d.reshape((d.shape[0] + top[0], *d.shape[1:]))
    _split(d, "join4", 256, 1)
    for n, scale in enumerate((fine, medium, d.shape), start=1):
        _detect(d, f"head{n}", scale)
    return d.done(name, shape)


def _classic(
    d: Drawing, n: str, channels: int, kernel: int, *, stride: int = 1, padding: int,
    groups: int = 1, pool: bool = False,
) -> None:  # fmt: skip
    d.conv(f"conv{n}", channels, kernel, stride=stride, padding=padding, groups=groups, bias=True)
    d.same(f"relu{n}", "relu")
    if pool:
        d.pool(f"pool{n}", 3, stride=2)


def _classifier(d: Drawing) -> None:
    d.flatten("flatten")
    for n in ("6", "7"):
        d.linear(f"fc{n}", 4096)
        d.same(f"relu{n}", "relu")
    d.linear("fc8", CLASSES)


def _residual(d: Drawing, width: int, *, stride: int, deep: bool) -> None:
    """Two convolutions, or three around a narrow middle, and a projection where shapes differ."""
    before, out = d.shape, width * (4 if deep else 1)
    if deep:
        d.conv("narrow", width, 1, norm=True)
        d.conv("middle", width, 3, stride=stride, norm=True)
        d.conv("wide", out, 1, norm=True)
    else:
        d.conv("first", width, 3, stride=stride, norm=True)
        d.conv("second", width, 3, norm=True)
    if before != d.shape:
        d.reshape(before)
        d.conv("project", out, 1, stride=stride, padding=0, norm=True)


def _split(d: Drawing, name: str, channels: int, count: int) -> None:
    """Half of the channels pass a chain of small blocks; all states are put beside each other."""
    half = channels // 2
    with d.block(name):
        d.conv("in", 2 * half, 1, norm=True)
        d.reshape((half, *d.shape[1:]))
        for n in range(count):
            d.conv(f"first{n}", half, 3, norm=True)
            d.conv(f"second{n}", half, 3, norm=True)
        d.reshape(((2 + count) * half, *d.shape[1:]))
        d.conv("out", channels, 1, norm=True)


def _join(d: Drawing, name: str, coarse: Shape, fine: Shape) -> Shape:
    """A coarse scale made fine and put beside a fine one."""
    d.reshape((coarse[0] + fine[0], *fine[1:]))
    _split(d, name, fine[0], 1)
    return d.shape


def _detect(d: Drawing, name: str, scale: Shape) -> None:
    """Boxes as distributions over 16 bins, and classes."""
    with d.block(name):
        for part, width, last in (("box", 64, 64), ("class", 80, 80)):
            d.reshape(scale)
            d.conv(f"{part}1", width, 3, norm=True)
            d.conv(f"{part}2", width, 3, norm=True)
            d.conv(f"{part}3", last, 1, bias=True)
        d.reshape((144, *scale[1:]))


NETWORKS: Final[Mapping[str, tuple[Callable[[str, Shape], Network], int]]] = {
    "alexnet": (alexnet, 224),
    "alexnet_caffe": (alexnet_caffe, 227),
    **{f"vgg{n}": (vgg, 224) for n in _VGG},
    **{f"resnet{n}": (resnet, 224) for n in _RESNET},
    "mobilenet_v2": (mobilenet_v2, 224),
    "yolo_n": (yolo, 640),
    "pix2pix": (pix2pix, 256),
    "edsr_x4": (edsr, 256),
}
