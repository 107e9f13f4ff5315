"""Where trainers of the BasicSR family keep the weights of their losses."""

from types import SimpleNamespace

import pytest
from little_sr import Model, Perceptual, Pixel, Redux, options
from torch import nn

from lossagent.adapters.basicsr import find_weights, weights_on
from lossagent.adapters.basicsr.weights import chosen_places
from lossagent.errors import Refused, UnknownName


def model(tmp_path, kind=Model):
    return kind(options(tmp_path))


def test_losses_that_are_attributes_are_found(tmp_path):
    found = {place.name: place.path for place in find_weights(model(tmp_path))}
    assert found == {
        "pix": "cri_pix.loss_weight",
        "perceptual": "cri_perceptual.perceptual_weight",
        "style": "cri_perceptual.style_weight",
    }


def test_losses_in_mappings_and_lists_are_found(tmp_path):
    found = {place.name: place.path for place in find_weights(model(tmp_path, Redux))}
    assert found == {"l1": "losses.l_g_l1.loss_weight", "mse": "losses.l_g_mse.loss_weight"}
    one = SimpleNamespace(terms=[Pixel(2.0)], more=nn.ModuleDict({"l_g_gan": Pixel(0.1)}))
    assert {p.path: p.read(one) for p in find_weights(one)} == {
        "terms.0.loss_weight": 2.0,
        "more.l_g_gan.loss_weight": 0.1,
    }


def test_losses_of_a_module_are_found_once():
    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.cri_pix = Pixel(0.3)

    assert [(p.name, p.path) for p in find_weights(Whole())] == [("pix", "cri_pix.loss_weight")]


def test_the_weights_to_begin_with_are_the_trainers_own(tmp_path):
    assert weights_on(model(tmp_path)) == {"pix": 1.0, "perceptual": 0.5}  # style is off
    named = {"l1": "cri_pix.loss_weight", "style": "cri_perceptual.style_weight"}
    assert weights_on(model(tmp_path), named) == {"l1": 1.0, "style": 0.0}
    with pytest.raises(Refused, match=r"no loss with a weight above 0; found: cri_pix.loss_weight = 0 \('pix'\)"):
        weights_on(SimpleNamespace(cri_pix=Pixel(0.0)))
    with pytest.raises(Refused, match="no weight at all"):
        weights_on(SimpleNamespace())


def test_a_weight_is_put_where_it_was_found(tmp_path):
    one = model(tmp_path, Redux)
    place = next(p for p in find_weights(one) if p.name == "mse")
    place.write(one, 0.125)
    assert one.losses["l_g_mse"].loss_weight == 0.125
    assert place.read(one) == 0.125


def test_a_loss_that_is_nowhere_is_refused_with_what_there_is(tmp_path):
    with pytest.raises(
        Refused, match=r"'l1' is nowhere on the model. The model has: cri_pix.loss_weight = 1 \('pix'\)"
    ):
        chosen_places(model(tmp_path), ["l1"])
    with pytest.raises(Refused, match=r"'pix' must be a number at cri_pixel.loss_weight; found 'nothing'"):
        chosen_places(model(tmp_path), ["pix"], {"pix": "cri_pixel.loss_weight"})
    with pytest.raises(UnknownName, match="loss of weights 'pixel'"):
        chosen_places(model(tmp_path), ["pix"], {"pixel": "cri_pix.loss_weight"})


def test_a_loss_that_could_be_two_is_refused_until_it_is_named(tmp_path):
    one = model(tmp_path)
    one.cri_other = Perceptual(0.2, 0.1)
    with pytest.raises(Refused, match=r"'style' is in several places \(cri_perceptual.style_weight, cri_other.style"):
        chosen_places(one, ["style"])
    (place,) = chosen_places(one, ["style"], {"style": "cri_other.style_weight"})
    assert place.read(one) == 0.1


def test_two_losses_of_one_weight_are_refused(tmp_path):
    with pytest.raises(Refused, match="'pix' and 'l1' have one weight"):
        chosen_places(model(tmp_path), ["pix", "l1"], {"l1": "cri_pix.loss_weight"})
