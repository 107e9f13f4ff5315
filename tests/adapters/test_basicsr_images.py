"""Images that trainers of the BasicSR family wrote."""

import numpy as np
import pytest
from PIL import Image

from lossagent.adapters.basicsr import validation_images
from lossagent.errors import Refused


@pytest.fixture
def written(tmp_path):
    def write(*names):
        for name in names:
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(file)
        return tmp_path

    return write


def names(found):
    return {name: file.name for name, file in found.items()}


def test_images_of_one_iteration(written):
    folder = written("baboon/baboon_500.png", "baboon/baboon_1000.png", "bird_2/bird_2_500.png", "bird_2/bird_2_lq.png")
    assert names(validation_images(folder, 500)) == {"baboon": "baboon_500.png", "bird_2": "bird_2_500.png"}
    assert names(validation_images(folder, 1000)) == {"baboon": "baboon_1000.png"}


def test_iterations_with_zeros_and_folders_with_the_data_set(written):
    folder = written("Set2 - baboon/baboon_000500.png", "sub/bird/bird_000500.png", "sub/bird/bird_lr.png")
    assert set(validation_images(folder, 500)) == {"baboon", "bird"}


def test_images_of_a_test_run(written):
    folder = written("Set5/baboon_srgan.png", "Set5/bird_srgan.png", "Set5/bird_esrgan.png", "Set5/bird.png")
    assert names(validation_images(folder / "Set5", "srgan")) == {
        "baboon": "baboon_srgan.png",
        "bird": "bird_srgan.png",
    }
    assert "bird" in validation_images(folder / "Set5", "")


def test_what_is_not_there_is_refused(written, tmp_path):
    folder = written("baboon/baboon_500.png", "a/x_7.png", "b/x_7.png")
    with pytest.raises(Refused, match="has no image of iteration 600"):
        validation_images(folder, 600)
    with pytest.raises(Refused, match="lacks bird of iteration 500"):
        validation_images(folder, 500, names=("baboon", "bird"))
    with pytest.raises(Refused, match="two images are called 'x'"):
        validation_images(folder, 7)
    with pytest.raises(Refused, match="save_img"):
        validation_images(tmp_path / "nowhere", 7)
