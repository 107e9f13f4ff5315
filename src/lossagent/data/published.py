"""The table of published data sets that ``lossagent prepare check`` knows.

Counts are those of the publications and of the lists that come with published training code.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from lossagent.data.layouts import Folder, Layout, Variant, markdown
from lossagent.data.matching import Match
from lossagent.errors import UnknownName

SWINIR_BENCHMARKS = "https://drive.google.com/drive/folders/1B3DJGQKB6eNdwuQIhdskA64qUuVKLZ9u"
BASICSR_BENCHMARKS = "https://drive.google.com/drive/folders/1pRmhEmmY-tPF7uH8DuVthfHoApZWJ1QU"
BSDS = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/bsds/"
BSDS500 = "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/resources.html"
RESIDE = "https://sites.google.com/view/reside-dehaze-datasets/reside-v0"
RAIN = "https://drive.google.com/drive/folders/1-_Tw-LHJF4vh8fpogKgZx1EQ9MhsJI_f"
PROMPTIR = "https://github.com/va1shn9v/PromptIR/blob/main/INSTALL.md"
SOURCES: Mapping[str, str] = {
    SWINIR_BENCHMARKS: "SwinIR's test sets",
    BASICSR_BENCHMARKS: "BasicSR's test sets",
    BSDS: "BSDS300",
    BSDS500: "BSDS500",
    RESIDE: "RESIDE",
    RAIN: "Rain100L",
    PROMPTIR: "PromptIR's guide",
    "https://data.vision.ee.ethz.ch/cvl/DIV2K/": "DIV2K",
    "https://cv.snu.ac.kr/research/EDSR/Flickr2K.tar": "Flickr2K.tar",
    "https://github.com/LimBee/NTIRE2017": "NTIRE2017",
    "https://sites.google.com/site/jbhuang0604/publications/struct_sr": "SelfExSR",
    "http://www.manga109.org/en/": "Manga109",
    "https://github.com/cszn/BSRGAN/tree/main/testsets": "BSRGAN's test sets",
    "https://github.com/JingyunLiang/SwinIR/releases/download/v0.0/RealSRSet+5images.zip": "SwinIR's release",
    "http://mmlab.ie.cuhk.edu.hk/projects/SFTGAN/": "SFTGAN",
    "https://github.com/cszn/FFDNet/tree/master/testsets": "FFDNet's test sets",
    "https://ece.uwaterloo.ca/~k29ma/exploration/": "Waterloo Exploration Database",
}
"""Address -> what the documentation calls it."""
NONE = "none stated"
RESEARCH = "non-commercial research and education"
PLAIN = "plain"


def _numbered(digits: int, last: int, before: str = "") -> tuple[str, ...]:
    return tuple(f"{before}{number:0{digits}d}" for number in range(1, last + 1))


def _one_folder(paths: tuple[str, ...], count: int, names: str, listed: tuple[str, ...] = ()) -> tuple[Variant, ...]:
    return (Variant(PLAIN, (Folder((*paths, "."), (count,), names, listed),)),)


def _with_low(clean: Folder, low: str, marked: bool) -> tuple[Folder, ...]:
    """A clean folder and its optional bicubic twins x2, x3, x4; ``low`` has ``{}`` for the scale."""
    twins = tuple(
        Folder(
            tuple(place.format(scale) for place in low.split()),
            clean.counts,
            f"(?:{clean.names}){f'x{scale}' if marked else f'(?:x{scale})?'}",
            role="low",
            scale=scale,
            required=False,
        )
        for scale in (2, 3, 4)
    )
    return clean, *twins


def _benchmark(
    name: str, count: int, names: str, listed: tuple[str, ...], naming: str, source: tuple[str, ...], licence: str
) -> Layout:
    basicsr = _with_low(Folder(("GTmod12",), (count,), names, listed, multiple=12), "LRbicx{}", marked=False)
    swinir = _with_low(Folder(("HR",), (count,), names, listed), "LR_bicubic/X{} LR_bicubic_X{}", marked=True)
    return Layout(
        name,
        "classical SR, test",
        naming,
        (
            Variant("BasicSR", basicsr),
            Variant("SwinIR", swinir),
            Variant(PLAIN, (Folder((".",), (count,), names, listed),)),
        ),
        (*source, SWINIR_BENCHMARKS, BASICSR_BENCHMARKS),
        licence,
    )


DIV2K_NAMES, FLICKR2K_NAMES = _numbered(4, 800), _numbered(6, 2650)
SET5 = ("baby", "bird", "butterfly", "head", "woman")
SET14 = (
    *("baboon", "barbara", "bridge", "coastguard", "comic", "face", "flowers"),
    *("foreman", "lenna", "man", "monarch", "pepper", "ppt3", "zebra"),
)
REAL20 = (
    *("Lincoln", "building", "butterfly", "butterfly2", "chip", "comic1", "comic2", "comic3", "computer", "dog"),
    *("dped_crop00061", "foreman", "frog", "oldphoto2", "oldphoto3", "oldphoto6", "painting", "pattern", "ppt3"),
    "tiger",
)
REAL5 = ("00003", "0014", "0030", "ADE_val_00000114", "OST_009")
BSD_NAME, GRAY_NAME = r"\d{4,6}", r"test_?\d{2,3}"

_DIV2K = Folder(("DIV2K_train_HR", "HR"), (800,), r"0[0-7]\d\d|0800", DIV2K_NAMES)
_FLICKR2K = Folder(("Flickr2K_HR", "HR"), (2650,), r"00[0-2]\d{3}", FLICKR2K_NAMES)
_VALID = Folder(("DIV2K_valid_HR",), (100,), r"08\d\d|0900", required=False)
_MERGED = Folder(
    ("DF2K_train_HR", "DF2K_HR", "HR", "."), (3450,), r"0\d{3}|00[0-2]\d{3}", (*DIV2K_NAMES, *FLICKR2K_NAMES)
)


def _pairs(
    clean: tuple[str, ...],
    low: tuple[str, ...],
    counts: tuple[tuple[int, ...], tuple[int, ...]],
    names: tuple[str, str],
    match: Match,
    deep: bool = False,
) -> tuple[Folder, Folder]:
    return (
        Folder(clean, counts[0], names[0], match=match),
        Folder(low, counts[1], names[1], role="low", match=match, deep=deep),
    )


RAIN_NAMES = (r"norain-?\d{1,3}|\d{1,3}", r"rain-?\d{1,3}|norain-?\d{1,3}x2|\d{1,3}")
RAIN_CLEAN, RAIN_LOW = ("gt", "target", "norain"), ("rainy", "input", "rain")
HAZE_NAMES = (r"\d{4,5}(?:_\d+)?", r"\d{4,5}_.+")
HAZE_CLEAN, HAZE_LOW = ("gt", "GT", "clear", "target"), ("hazy", "input")


def _rain(count: int) -> tuple[Variant, ...]:
    counts = ((count,), (count,))
    mixed = _pairs((".",), (".",), counts, (r"norain-?\d{1,3}", r"rain-?\d{1,3}|norain-?\d{1,3}x2"), "rain")
    return (
        Variant("two folders", _pairs(RAIN_CLEAN, RAIN_LOW, counts, RAIN_NAMES, "rain")),
        Variant("one folder", mixed),
    )


def _promptir() -> tuple[Folder, ...]:
    test = "test"
    return (
        Folder(("Train/Denoise",), (5144,), r"\d{4,6}"),
        *_pairs(("Train/Derain/gt",), ("Train/Derain/rainy",), ((200,), (200,)), RAIN_NAMES, "rain"),
        *_pairs(
            ("Train/Dehaze/original",), ("Train/Dehaze/synthetic",), ((2061,), (72_135,)), HAZE_NAMES, "haze", True
        ),
        Folder((f"{test}/denoise/bsd68",), (68,), f"{BSD_NAME}|{GRAY_NAME}", required=False),
        Folder((f"{test}/denoise/urban100",), (100,), r"img_\d{3}.*", required=False),
        *_pairs(
            (f"{test}/derain/Rain100L/target",),
            (f"{test}/derain/Rain100L/input",),
            ((100,), (100,)),
            RAIN_NAMES,
            "rain",
        ),
        *_pairs((f"{test}/dehaze/target",), (f"{test}/dehaze/input",), ((492, 500), (500,)), HAZE_NAMES, "haze"),
    )


_ALL = (
    Layout(
        "DF2K",
        "classical and real-world SR, training",
        "`0001`..`0800` (DIV2K) and `000001`..`002650` (Flickr2K)",
        (Variant("merged", (_MERGED,)), Variant("side by side", (_DIV2K, _FLICKR2K))),
        ("https://data.vision.ee.ethz.ch/cvl/DIV2K/", "https://cv.snu.ac.kr/research/EDSR/Flickr2K.tar"),
        "DIV2K: academic research; Flickr2K: none stated",
    ),
    Layout(
        "DIV2K",
        "classical SR, training",
        "`0001`..`0800`; `0801`..`0900` are its validation images",
        (
            Variant("official", (*_with_low(_DIV2K, "DIV2K_train_LR_bicubic/X{}", marked=True), _VALID)),
            Variant(PLAIN, (Folder((".",), (800,), _DIV2K.names, DIV2K_NAMES),)),
        ),
        ("https://data.vision.ee.ethz.ch/cvl/DIV2K/",),
        "academic research",
    ),
    Layout(
        "Flickr2K",
        "classical SR, training",
        "`000001`..`002650`",
        (
            Variant("official", _with_low(_FLICKR2K, "Flickr2K_LR_bicubic/X{}", marked=True)),
            Variant(PLAIN, (Folder((".",), (2650,), _FLICKR2K.names, FLICKR2K_NAMES),)),
        ),
        ("https://cv.snu.ac.kr/research/EDSR/Flickr2K.tar", "https://github.com/LimBee/NTIRE2017"),
        NONE,
    ),
    _benchmark("Set5", 5, "|".join(SET5), SET5, "five names", (), NONE),
    _benchmark("Set14", 14, "|".join((*SET14, "lena", "peppers")), SET14, "fourteen names", (), NONE),
    _benchmark("BSD100", 100, BSD_NAME, (), "BSDS numbers (also called B100)", (BSDS,), RESEARCH),
    _benchmark(
        "Urban100",
        100,
        r"img_\d{3}.*",
        _numbered(3, 100, "img_"),
        "`img_001`..`img_100`",
        ("https://sites.google.com/site/jbhuang0604/publications/struct_sr",),
        NONE,
    ),
    _benchmark(
        "Manga109",
        109,
        r"[A-Z][A-Za-z0-9_]+",
        (),
        "titles of the mangas",
        ("http://www.manga109.org/en/",),
        "academic use, on request",
    ),
    Layout(
        "RealSRSet",
        "real-world SR, feedback and test (no references)",
        "twenty names",
        _one_folder(("RealSRSet",), 20, "|".join(REAL20), REAL20),
        ("https://github.com/cszn/BSRGAN/tree/main/testsets",),
        NONE,
    ),
    Layout(
        "RealSRSet+5images",
        "real-world SR, test (no references)",
        "the twenty of RealSRSet and five more",
        _one_folder(("RealSRSet+5images",), 25, "|".join((*REAL20, *REAL5)), (*REAL20, *REAL5)),
        ("https://github.com/JingyunLiang/SwinIR/releases/download/v0.0/RealSRSet+5images.zip",),
        NONE,
    ),
    Layout(
        "OST300",
        "real-world SR, test (no references)",
        "`OST_001`..`OST_300`",
        _one_folder(("OutdoorSceneTest300", "OST300"), 300, r"OST_\d{3}", _numbered(3, 300, "OST_")),
        ("http://mmlab.ie.cuhk.edu.hk/projects/SFTGAN/",),
        NONE,
    ),
    Layout(
        "BSD400",
        "denoising, training",
        "BSDS numbers, or `test_001`.. in the gray release",
        _one_folder(("BSD400",), 400, f"{BSD_NAME}|{GRAY_NAME}"),
        (BSDS500, PROMPTIR),
        RESEARCH,
        "Training and test images of BSDS500, 200 each.",
    ),
    *(
        Layout(
            name,
            "denoising, test",
            "BSDS numbers, or `test001`..`test068`",
            _one_folder((name,), 68, f"{BSD_NAME}|{GRAY_NAME}"),
            ("https://github.com/cszn/FFDNet/tree/master/testsets", BSDS),
            RESEARCH,
        )
        for name in ("BSD68", "CBSD68")
    ),
    Layout(
        "WED",
        "denoising, training",
        "`00001`..`04744`",
        _one_folder(("WED", "pristine_images"), 4744, r"0[0-4]\d{3}", _numbered(5, 4744)),
        ("https://ece.uwaterloo.ca/~k29ma/exploration/",),
        "research",
    ),
    Layout(
        "Rain100L-train",
        "deraining, training",
        "`rain-N` for `norain-N` (`norain-Nx2` in the first release), or equal numbers",
        _rain(200),
        (RAIN,),
        NONE,
    ),
    Layout(
        "Rain100L",
        "deraining, test",
        "`rain-N` for `norain-N`, or equal numbers",
        _rain(100),
        (RAIN,),
        NONE,
    ),
    Layout(
        "SOTS-outdoor",
        "dehazing, test",
        "hazy `NNNN_...`, clear `NNNN`",
        (Variant("RESIDE", _pairs(HAZE_CLEAN, HAZE_LOW, ((492, 500), (500,)), HAZE_NAMES, "haze")),),
        (RESIDE,),
        "academic",
        "All 500 hazy images are taken, each with the clear image of its number: 492 clear images serve them. Copies "
        "with 500 clear files repeat some.",
    ),
    Layout(
        "SOTS-indoor",
        "dehazing, test",
        "hazy `NNNN_K`, clear `NNNN`",
        (Variant("RESIDE", _pairs(HAZE_CLEAN, HAZE_LOW, ((50, 500), (500,)), HAZE_NAMES, "haze")),),
        (RESIDE,),
        "academic",
        "50 scenes with ten hazy images each; copies with 500 clear files repeat each ten times.",
    ),
    Layout(
        "OTS",
        "dehazing, training",
        "hazy `NNNN_A_B`, clear `NNNN`",
        (
            Variant(
                "RESIDE",
                _pairs(
                    ("clear", "original"),
                    ("haze", "hazy", "synthetic"),
                    ((2061,), (72_135,)),
                    HAZE_NAMES,
                    "haze",
                    True,
                ),
            ),
        ),
        (RESIDE,),
        "academic",
        "35 hazy images of each clear one; hazy ones may stand in subfolders (`part1`..`part4`).",
    ),
    Layout(
        "PromptIR",
        "all-in-one restoration, training and test",
        "as of BSD400 and WED, Rain100L, OTS and SOTS-outdoor",
        (Variant("published", _promptir()),),
        (PROMPTIR,),
        "of each part",
        "`Train/Denoise` holds BSD400 and WED together.",
    ),
)

LAYOUTS: Mapping[str, Layout] = {layout.name: layout for layout in _ALL}
"""Name -> layout."""


def layout(name: str) -> Layout:
    """The layout of that name, in any case of letters; ``B100`` is ``BSD100``.

    Raises:
        UnknownName: there is none.
    """
    wanted = {"b100": "bsd100"}.get(name.casefold(), name.casefold())
    for known, found in LAYOUTS.items():
        if known.casefold() == wanted:
            return found
    raise UnknownName("layout", name, LAYOUTS)


def write_table(page: Path) -> None:
    """Puts the table between its marks in a page of documentation."""
    begin, end = "<!-- layouts -->", "<!-- end of layouts -->"
    head, rest = page.read_text(encoding="utf-8").split(begin)
    page.write_text(f"{head}{begin}\n{markdown(LAYOUTS, SOURCES)}\n{end}{rest.split(end)[1]}", encoding="utf-8")


if __name__ == "__main__":
    write_table(Path(sys.argv[1]))
