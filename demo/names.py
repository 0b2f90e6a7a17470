"""Chinese names that belong to nobody.

A demo of a custody facility shows names beside "held", "agitated" or "unwell". Whatever real names one made
up, some living person would bear them, and a screenshot would say so of that person. So the family names here
are none: each is one half of a word that exists only whole (潋滟, 氤氲, 箜篌, 璎珞, 粼粼) and hardly could
name a clan. They were compared with the Hundred Family Surnames and with the 1,806 surnames counted in the
household register (Bao 2021, ChineseNames). Anyone who reads Chinese sees at once that a name is invented.

The given names tell neither sex nor origin: nothing is to be read from them.
All characters are in GB 2312, so that the fonts and printers of every office have them.
"""

import random
from itertools import product

FAMILY = "潋滟氤氲旖旎箜篌菡萏缱绻嶙峋徜徉葳蕤缥缈蹁跹璎粼"
FIRST = "知怀望景云清嘉承若听亦安"
SECOND = "远宁溪川舟松竹禾野秋和澄"

_SHORT = ["".join(parts) for parts in product(FAMILY, SECOND)]
_LONG = ["".join(parts) for parts in product(FAMILY, FIRST, SECOND)]


def names(rng: random.Random, count: int) -> list[str]:
    """`count` distinct names, a quarter of them of two characters; ValueError if there are not so many."""
    short = count // 4
    chosen = rng.sample(_SHORT, short) + rng.sample(_LONG, count - short)
    rng.shuffle(chosen)
    return chosen
