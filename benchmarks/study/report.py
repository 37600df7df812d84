"""Draw the study's tables and figures into RESULTS.md: `python -m benchmarks.study.report`."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.study.figures import draw_curves, draw_profiles
from benchmarks.study.goals import goal_table
from benchmarks.study.plans import REPORTED_SEED
from benchmarks.study.records import load_records
from benchmarks.study.stops import stop_table
from benchmarks.study.tables import Results, start_table

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "RESULTS.md"
FIGURES = HERE / "figures"
BEGIN, END = "<!-- study: drawn by benchmarks.study.report -->", "<!-- end of the study -->"


def section(results: Results) -> Iterator[str]:
    """Yield the lines between the markers."""
    seeds = sorted({key.seed for key in results.by_key})
    cpu_hours = sum(record.cpu_s for record in results.by_key.values()) / 3600
    yield (
        f"{len(results.by_key)} runs on seeds {seeds[0]} to {seeds[-1]}, {cpu_hours:.1f} CPU "
        "hours, peers not counted. Scores are normalised; intervals are 95 % stratified bootstrap."
    )
    yield ""
    yield from goal_table(results)
    yield from stop_table(results)
    for start in results.starts:
        yield from start_table(results, start)
    yield "![Incumbents over the budget](study/figures/curves.png)"
    yield ""
    yield "![Final scores](study/figures/profiles.png)"


def main() -> None:
    """Write the section of `RESULTS.md`, or print it for other seeds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--development", action="store_true", help="seeds 0 to 99, printed only")
    arguments = parser.parse_args()
    wants_reported = not arguments.development
    records = [r for r in load_records() if (r.key.seed >= REPORTED_SEED) == wants_reported]
    if not records:
        raise SystemExit("no runs yet: python -m benchmarks.study.run --headline")
    results = Results(records)
    text = "\n".join(section(results))
    if arguments.development:
        print(text)
        return
    draw_curves(results, FIGURES / "curves.png")
    draw_profiles(results, FIGURES / "profiles.png")
    page = RESULTS.read_text()
    marked = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    block = f"{BEGIN}\n\n{text}\n\n{END}"
    if not marked.search(page):
        raise SystemExit(f"{RESULTS} has no {BEGIN!r}")
    RESULTS.write_text(marked.sub(lambda _match: block, page))
    print(f"{len(records)} runs drawn into {RESULTS}")


if __name__ == "__main__":
    main()
