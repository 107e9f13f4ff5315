"""Released checkpoints from which the published experiments start.

Addresses are those of the authors' own release pages. Sizes and hashes are not published there; where two or more
public projects that pin these files agree, theirs stand here. Where none does, size and hash are left unknown: the
first file that comes is pinned, which is said.
"""

from __future__ import annotations

from lossagent.assets.kinds import Asset, Url

SWINIR = "https://github.com/JingyunLiang/SwinIR"
REAL_ESRGAN = "https://github.com/xinntao/Real-ESRGAN"
PROMPTIR = "https://github.com/va1shn9v/PromptIR"


def _swinir(name: str, what: str, file: str, size: int, sha256: str) -> Asset:
    source = Url(f"{SWINIR}/releases/download/v0.0/{file}", f"{SWINIR}/releases/tag/v0.0")
    return Asset(name, f"SwinIR checkpoint, {what}", source, "Apache-2.0", size, file, sha256)


RELEASED = (
    _swinir(
        "swinir-m-classical-x4",
        "classical x4, medium, DF2K, patch 64 (start of the paper's classical task)",
        "001_classicalSR_DF2K_s64w8_SwinIR-M_x4.pth",
        67_869_037,
        "4e78e33f22c1aa8a773db0cf4a7381bae97c2362c717f155439ebc690cbd9215",
    ),
    _swinir(
        "swinir-s-lightweight-x4",
        "lightweight x4, small, DIV2K",
        "002_lightweightSR_DIV2K_s64w8_SwinIR-S_x4.pth",
        17_225_941,
        "09fad24e32ae62722e1a055efde9921328f4137981bab0a42a4a3a806306c58e",
    ),
    _swinir(
        "swinir-m-real-psnr-x4",
        "real-world x4, medium, PSNR-trained (start of the paper's real-world task)",
        "003_realSR_BSRGAN_DFO_s64w8_SwinIR-M_x4_PSNR.pth",
        67_129_849,
        "1fd8fed99684bd271db55563e4906d36459cf535446820053f7a1081d4781dc5",
    ),
    _swinir(
        "swinir-m-real-gan-x4",
        "real-world x4, medium, GAN-trained (to compare with)",
        "003_realSR_BSRGAN_DFO_s64w8_SwinIR-M_x4_GAN.pth",
        67_129_861,
        "b9afb61e65e04eb7f8aba5095d070bbe9af28df76acd0c9405aeb33b814bcfc6",
    ),
    Asset(
        name="realesrgan-x4plus",
        what="Real-ESRGAN x4plus generator (RRDBNet; to compare with, opens in spandrel)",
        source=Url(
            f"{REAL_ESRGAN}/releases/download/v0.1.0/RealESRGAN_x4plus.pth", f"{REAL_ESRGAN}/releases/tag/v0.1.0"
        ),
        licence="BSD-3-Clause",
        size=67_040_989,
        file="RealESRGAN_x4plus.pth",
        sha256="4fa0d38905f75ac06eb49a7951b426670021be3018265fd191d2125df9d682f1",
    ),
    Asset(
        name="realesrgan-x4plus-netd",
        what="Real-ESRGAN x4plus U-Net discriminator (warm start of ours, key params)",
        source=Url(
            f"{REAL_ESRGAN}/releases/download/v0.2.2.3/RealESRGAN_x4plus_netD.pth",
            f"{REAL_ESRGAN}/blob/master/docs/Training.md",
        ),
        licence="BSD-3-Clause",
        size=None,
        file="RealESRGAN_x4plus_netD.pth",
        sha256="",
    ),
    Asset(
        name="promptir",
        what="PromptIR checkpoint, all-in-one: noise, rain, haze (start of the paper's all-in-one task)",
        source=Url(f"{PROMPTIR}/releases/download/v1.0/model.ckpt", f"{PROMPTIR}#testing (also on Google Drive)"),
        licence="Academic Public License: non-commercial use only",
        size=None,
        file="promptir-model.ckpt",
        sha256="",
    ),
)
"""In the order of the paper's tasks."""
