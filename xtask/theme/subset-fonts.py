"""Makes the fonts that the book ships, in fonts/: small enough to load with every page.

    pip install fonttools==4.68.0 brotli==1.2.1
    python subset-fonts.py FOLDER

FOLDER holds NewCMMath-Book.otf and LibertinusSerif-*.otf, as in the crate typst-assets 0.15.1
(its files/fonts) and on CTAN. The math font gets the characters that fonts/NewCMMath.txt lists.
"""

import sys
from pathlib import Path

from fontTools.subset import Options, Subsetter, load_font, parse_unicodes, save_font

ORIGINALS = Path(sys.argv[1])
FONTS = Path(__file__).parent / "fonts"
TEXT = (
    "20-7E,A0,A7,B1,B7,C4,C9,D6,D7,DC,DF,E0-FC,2013,2014,2018-201E,2026,2032,2190-2193,2212"
)
PRIMES = [0x2032, 0x2033, 0x2034]


def subset(original, unicodes, features, prepare=lambda font: None):
    options = Options()
    options.layout_features = features
    options.flavor = "woff2"
    options.hinting = False
    options.desubroutinize = True
    options.name_IDs = [0, 1, 2, 3, 5, 13, 14]
    options.drop_tables += ["FFTM", "PfEd"]
    font = load_font(ORIGINALS / original, options)
    prepare(font)
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=unicodes)
    subsetter.subset(font)
    name = original.removesuffix(".otf").replace("NewCMMath-Book", "NewCMMath")
    save_font(font, FONTS / f"{name}.woff2", options)


def script_forms_of_primes(font):
    """Formulas have primes in superscripts only, where the font draws them larger, by its feature
    ssty. Chromium does not use it: the primes get those forms for good."""
    forms = {}
    for lookup in font["GSUB"].table.LookupList.Lookup:
        for table in lookup.SubTable:
            forms.update(getattr(getattr(table, "ExtSubTable", table), "alternates", {}))
    primes = {code: forms[font.getBestCmap()[code]][0] for code in PRIMES}
    for table in font["cmap"].tables:
        if table.isUnicode() and table.format != 14:
            table.cmap.update(primes)


for face in ["Regular", "Italic", "Semibold"]:
    subset(f"LibertinusSerif-{face}.otf", parse_unicodes(TEXT), ["kern", "liga"])
listed = (FONTS / "NewCMMath.txt").read_text().splitlines()
listed = [line for line in listed if line.startswith("U+")]
subset(
    "NewCMMath-Book.otf",
    parse_unicodes(",".join(",".join(listed).split())),
    [],
    script_forms_of_primes,
)
