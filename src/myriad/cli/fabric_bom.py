"""`myriad fabric bom`: what a cluster and its fabric are bought as, line by line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from myriad.cli import completion
from myriad.cli.options import ClusterName, JsonFile, LanguageCode, check_language
from myriad.cli.output import STANDARD_OUTPUT, check_outputs, json_text, say, show, write
from myriad.errors import SpecError, unknown_name

EXAMPLES: Final = """\b
Examples:
  myriad fabric bom fat-tree-ndr-rails --cluster hgx-h800:10000 --currency CNY
    --claim "10 B CNY" --xlsx bom.xlsx
  myriad fabric bom rail-only-ndr --cluster dgx-h100:16384
    --rules h100-cost-sheet-2024 --csv bom.csv"""


def bom(
    fabric: Annotated[
        str,
        typer.Argument(
            metavar="FABRIC", help="Fabric of the catalog, or a file of one.", autocompletion=completion.fabrics
        ),
    ],
    cluster: ClusterName,
    currency: Annotated[str, typer.Option(metavar="CODE", help="Of all amounts: USD, CNY, EUR, ...")] = "USD",
    rules: Annotated[
        str,
        typer.Option(
            metavar="NAME|FILE", help="What is counted beside the fabric, and how: rules of the catalog, or a file."
        ),
    ] = "usual",
    prices: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Own unit prices by item, before the catalog's.")
    ] = None,
    claim: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help='A claimed total to compare with: "10 B CNY".')
    ] = None,
    csv_file: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write the lines as CSV.")] = None,
    xlsx: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a workbook whose sums are formulas (needs [bom]).")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with the sums drawn.")] = None,
    json_file: JsonFile = None,
    lang: LanguageCode = "en",
) -> None:
    """Count and price everything that a fabric and its cluster are bought as."""
    check_language(lang)
    inputs = [path for path in (prices, Path(rules), Path(fabric)) if path is not None and path.is_file()]
    check_outputs({"--csv": csv_file, "--xlsx": xlsx, "--html": html, "--json": json_file}, *inputs)
    from myriad import __version__, api, catalog
    from myriad.cli.options import at, read_flag
    from myriad.report.bill_file import bill_csv, bill_values, bill_xlsx, check_workbook
    from myriad.report.bill_page import bill_html
    from myriad.report.bill_text import bill_text
    from myriad.spec.money import Amount

    rates = {"USD": 1.0, **catalog.usd_per_currency()}
    if currency not in rates:
        raise SpecError(f"--currency: {unknown_name('currency', currency, rates)}")
    rate = rates[currency]
    claim_usd = None if claim is None else read_flag("--claim", claim, Amount).usd(rates)
    if claim_usd is not None and not claim_usd:
        raise SpecError("--claim: expected an amount above 0")
    if xlsx is not None:
        with at("--xlsx"):
            check_workbook()
    with at("--prices"):
        own = None if prices is None else api.prices_of(prices)
    with at("--rules"):
        api.rules_of(rules)
    found = api.fabric_bill(fabric, cluster, rules, own)
    if csv_file is not None:
        write(csv_file, bill_csv(found, currency, rate))
    if xlsx is not None:
        write(xlsx, bill_xlsx(found, currency, rate, lang))
    if html is not None:
        write(html, bill_html(found, __version__, currency, rate, claim_usd, lang))
    if json_file is not None:
        values = bill_values(found, currency, rate)
        share = {} if claim_usd is None else {"claim_usd": claim_usd, "share_of_claim": found.total_usd / claim_usd}
        write(json_file, json_text({**values, **share}))
    if json_file != STANDARD_OUTPUT:
        show(bill_text(found, currency, rate, claim_usd, lang))
    for name, path in (("csv", csv_file), ("xlsx", xlsx), ("page", html)):
        if path is not None:
            say(f"{name}: {path}")
