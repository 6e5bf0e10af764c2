"""Generators of pictures from pictures: networks whose result is an image, not a token."""

from __future__ import annotations

from typing import Final

from tree6g.compute.model.convolution import Drawing, Network, Shape

# pix2pix, appendix 6.1: channels of the encoder, each half as wide and high as the one before
_ENCODER: Final = (64, 128, 256, 512, 512, 512, 512, 512)
_EDSR_CHANNELS, _EDSR_BLOCKS, _EDSR_DOUBLINGS = 256, 32, 2


def pix2pix(name: str, shape: Shape) -> Network:
    """The U-Net of pix2pix (Isola et al. 2017, arXiv 1611.07004, appendix 6.1): a picture from one.

    Eight convolutions of 4 pixels halve the picture down to one pixel for 256 pixels; eight
    transposed ones double it again, each after the picture of its size on the way down was put
    beside it. Norms behind all but the first, the innermost and the last. 54.414 million
    parameters, as its reference implementation prints.
    """
    d = Drawing(shape)
    kept = []
    for n, channels in enumerate(_ENCODER, start=1):
        inner = 1 < n < len(_ENCODER)
        d.conv(f"down{n}", channels, 4, stride=2, padding=1, norm=inner)
        kept.append(d.shape)
    for n in range(len(_ENCODER) - 1, 0, -1):
        d.up(f"up{n + 1}", _ENCODER[n - 1], 4, stride=2, padding=1, norm=True)
        d.reshape((2 * _ENCODER[n - 1], *kept[n - 1][1:]))
    d.up("up1", shape[0], 4, stride=2, padding=1, bias=True)
    return d.done(name, shape)


def edsr(name: str, shape: Shape) -> Network:
    """EDSR four times as wide and high (Lim et al. 2017, arXiv 1707.02921, Table 1): 43 million.

    32 residual blocks of two convolutions with 256 channels, no norms; two steps in which a
    convolution makes four times the channels, which are put beside each other as pixels.
    """
    d = Drawing(shape)
    d.conv("head", _EDSR_CHANNELS, 3, bias=True)
    for n in range(1, _EDSR_BLOCKS + 1):
        with d.block(f"block{n}"):
            d.conv("first", _EDSR_CHANNELS, 3, bias=True)
            d.conv("second", _EDSR_CHANNELS, 3, bias=True)
    d.conv("body", _EDSR_CHANNELS, 3, bias=True)
    for n in range(1, _EDSR_DOUBLINGS + 1):
        d.conv(f"up{n}", 4 * _EDSR_CHANNELS, 3, bias=True)
        d.reshape((_EDSR_CHANNELS, 2 * d.shape[1], 2 * d.shape[2]))
    d.conv("tail", shape[0], 3, bias=True)
    return d.done(name, shape)
