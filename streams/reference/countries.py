"""Names of countries as the shipped tables spell them, to ISO 3166-1 alpha-2. `ZZ` is "other countries"."""

from types import MappingProxyType

OTHER = "ZZ"

_NAMES = """
AE United Arab Emirates|AR Argentina|AT Austria|AU Australia|BE Belgium|BG Bulgaria|BI Burundi|BO Bolivia|BR Brazil
CA Canada|CD Congo, D.R.|CH Switzerland|CL Chile|CN China|CO Colombia|CR Costa Rica|CV Cape Verde|CY Cyprus|CZ Czechia
DE Germany|DK Denmark|EC Ecuador|EE Estonia|ES Spain|FI Finland|FR France|GB United Kingdom|GL Greenland|GR Greece
GT Guatemala|HK Hong Kong|HN Honduras|HR Croatia|HU Hungary|ID Indonesia|IE Ireland|IL Israel|IN India|IR Iran|IT Italy
JP Japan|KE Kenya|KG Kyrgyzstan|KP Korea, North|KR Korea, Republic of|KR Korea, South|KZ Kazakhstan|LA Laos|LK Sri Lanka
LU Luxembourg|MA Morocco|MG Madagascar|MM Burma|MM Myanmar|MN Mongolia|MX Mexico|MY Malaysia|MZ Mozambique|NA Namibia
NG Nigeria|NL Netherlands|NO Norway|OM Oman|PA Panama|PE Peru|PH Philippines|PK Pakistan|PL Poland|PT Portugal
RO Romania|RS Serbia|RU Russia|RW Rwanda|SA Saudi Arabia|SE Sweden|SG Singapore|SI Slovenia|SK Slovakia|SM San Marino
TH Thailand|TJ Tajikistan|TR Turkey|TR Türkiye|TW Taiwan|TZ Tanzania|UA Ukraine|UG Uganda|US United States|US US
BO Bolivia (Plurinational State of)|CD Dem. Rep. of the Congo|CV Cabo Verde|HK China, Hong Kong SAR
KP Dem. People's Rep. of Korea|KR Rep. of Korea|LA Lao People's Dem. Rep.|RU Russian Federation|TW Taiwan, China
TZ United Rep. of Tanzania|US USA|VN Viet Nam
UY Uruguay|UZ Uzbekistan|VN Vietnam|ZA South Africa|ZW Zimbabwe|ZZ Other countries|ZZ Other
"""

COUNTRY_CODES = MappingProxyType(
    {entry[3:]: entry[:2] for line in _NAMES.split("\n") for entry in line.split("|") if entry}
)


def country_code(name: str) -> str:
    """Return the code of a country; raises `KeyError` with a name no shipped table uses."""
    return COUNTRY_CODES[name]
