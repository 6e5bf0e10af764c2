"""Convolutional networks: totals, shapes, and pictures of other sizes."""

from __future__ import annotations

import pytest

from tree6g.compute.model.networks import NETWORKS, network
from tree6g.errors import DataError


@pytest.mark.parametrize(
    ("name", "parameters", "gmac"),
    [  # parameters and GMAC of torchvision's and Ultralytics' documentation
        ("alexnet", 61_100_840, 0.714),
        ("vgg16", 138_357_544, 15.47),
        ("resnet18", 11_689_512, 1.814),
        ("resnet34", 21_797_672, 3.664),
        ("resnet50", 25_557_032, 4.089),
        ("resnet101", 44_549_160, 7.801),
        ("resnet152", 60_192_808, 11.514),
        ("mobilenet_v2", 3_504_872, 0.301),
        ("yolo_n", 3_157_184, 4.37),
    ],
)
def test_totals_are_the_published_ones(name, parameters, gmac):
    net = network(name)
    assert net.parameters == parameters
    assert net.flop / 2e9 == pytest.approx(gmac, rel=0.003)


# The fully connected layers of the others belong to one size of picture.
@pytest.mark.parametrize("name", [n for n in NETWORKS if not n.startswith(("alexnet", "vgg"))])
def test_convolutions_grow_with_the_picture_and_parameters_do_not(name):
    usual = network(name)
    larger = network(name, side_px=2 * usual.shape[1])
    assert larger.parameters == usual.parameters
    assert larger.flop == pytest.approx(4 * usual.flop, rel=0.01)


def test_a_cut_of_resnet_50_sends_what_its_stages_hand_on():
    values = {layer.name: layer.values for layer in network("resnet50").layers}
    assert values["stem.conv"] * 4 == 3_211_264
    assert values["stage4.block3"] * 4 == 401_408
    assert values["avgpool"] * 4 == 8_192


def test_unknown_networks_and_small_pictures_end_in_words():
    with pytest.raises(DataError, match="Did you mean 'resnet50'"):
        network("resnet-5")
    with pytest.raises(DataError, match="Take a larger picture"):
        network("alexnet", side_px=20)
