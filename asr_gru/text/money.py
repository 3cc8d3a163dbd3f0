"""Amounts of money in words: ``$3.5 million`` is three point five million dollars."""

from __future__ import annotations

import re
from typing import NamedTuple

from asr_gru.text.numerals import LARGEST, cardinal, digits

__all__ = ["MONEY", "spell_money"]


class Currency(NamedTuple):
    """Singular and plural of a currency's unit and of its hundredth; "" if it has none."""

    unit: str
    units: str
    hundredth: str
    hundredths: str


CURRENCIES = {
    "$": Currency("dollar", "dollars", "cent", "cents"),
    "£": Currency("pound", "pounds", "penny", "pence"),
    "€": Currency("euro", "euros", "cent", "cents"),
    "₹": Currency("rupee", "rupees", "paisa", "paise"),
    "¥": Currency("yen", "yen", "", ""),
    "¢": Currency("cent", "cents", "", ""),
}
MAGNITUDES = {
    **{word: word for word in ("hundred", "thousand", "million", "billion", "trillion")},
    "k": "thousand",
    "m": "million",
    "mn": "million",
    "b": "billion",
    "bn": "billion",
    "tn": "trillion",
}
MAX_DIGITS = len(str(LARGEST))
"""Longer amounts are read digit by digit."""
AMOUNT = (
    r"[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]{2}(?![0-9,])"  # 1.234,50
    r"|[0-9]{1,3}(?:\.[0-9]{3}){2,}(?![0-9])"  # 1.234.000
    r"|[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?(?!,?[0-9])"  # 1,234.50
    r"|[0-9]+,[0-9]{2}(?![0-9,])"  # 20,50
    r"|[0-9]*\.[0-9]+|[0-9]+"
)
MAGNITUDE = r"(?:(?:\s|-)?(hundred|thousand|million|billion|trillion)\b|(\s?(?:[mb]n|tn)|[kmb])\b)?"
MONEY = re.compile(
    rf"(?P<sign>(?<![^\s(\[])[+−-])?(?:([$£€¥₹])\s?({AMOUNT}){MAGNITUDE}"
    rf"|(?<![0-9.,])({AMOUNT}){MAGNITUDE}"
    r"([$£€¥₹](?![0-9])|\s[$£€¥₹](?!\s?[0-9.])|\s?¢))(?P<attribute>(?=\s(?:bill|note|coin)s?\b))?"
)


def spell_money(match: re.Match[str]) -> str:
    """Spell a match of ``MONEY``."""
    symbol, amount, *magnitude = match.group(2, 3, 4, 5)
    if symbol is None:
        amount, *magnitude, symbol = match.group(6, 7, 8, 9)
    symbol = symbol.strip()
    scale = MAGNITUDES.get((magnitude[0] or magnitude[1] or "").strip(), "")
    sign = {"+": "plus ", "-": "minus ", "−": "minus "}.get(match["sign"] or "", "")
    currency = CURRENCIES[symbol]
    if match["attribute"] is not None:  # a twenty dollar bill
        currency = currency._replace(units=currency.unit)
    return f" {sign}{_spell(currency, amount, scale)} "


def _spell(currency: Currency, amount: str, scale: str) -> str:
    if re.search(r",[0-9]{2}$|\..*\.", amount):  # decimal comma
        amount = amount.replace(".", "").replace(",", ".")
    whole, point, decimals = amount.replace(",", "").partition(".")
    number = int(whole[-MAX_DIGITS:] or 0) if len(whole.lstrip("0")) <= MAX_DIGITS else None
    units = currency.unit if number == 1 and not scale else currency.units
    spelled = digits(whole) if number is None else cardinal(number)
    if scale or (point and (len(decimals) != 2 or not currency.hundredth)):
        fraction = f" point {digits(decimals)}" if point else ""
        whole_words = spelled if whole else ""
        if fraction:
            units = currency.units
        return " ".join(f"{whole_words}{fraction} {scale} {units}".split())
    hundredths = int(decimals or 0)
    if not hundredths:
        return f"{spelled} {units}"
    name = currency.hundredth if hundredths == 1 else currency.hundredths
    small = f"{cardinal(hundredths)} {name}"
    return small if number == 0 else f"{spelled} {units} and {small}"
