"""Compare CALR with other methods: python -m aretusa_compress.calr FILE -o DIR.

FILE is YAML with the keys of Comparison. Each result lies in a file of its own below DIR and is not
made again. docs/low-rank.md shows an example.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from aretusa_compress.calr.comparison import NAME, Comparison
from aretusa_compress.calr.comparison_plot import draw
from aretusa_compress.calr.comparison_table import as_csv, as_markdown
from aretusa_compress.errors import CompressError, UsageError
from aretusa_compress.recipe.validate import validated
from aretusa_compress.recipe.yaml_file import read_yaml
from aretusa_compress.run.determinism import prepare_libraries
from aretusa_compress.sensitivity.plot import can_draw
from aretusa_compress.terminal import Bars

_INTERRUPTED: Final = 130  # what shells make of Ctrl-C


def main() -> int:
    """Command line: exit code 0, or that of the error that is printed."""
    parser = argparse.ArgumentParser(prog="python -m aretusa_compress.calr")
    parser.add_argument("file", type=Path, help="YAML: model, data, fewer, seeds, methods, ...")
    parser.add_argument("-o", "--output-dir", type=Path, required=True)
    parser.add_argument("--keep", action="store_true", help="keep the models, not only results")
    parser.add_argument("--quiet", action="store_true")
    asked = parser.parse_args()
    try:
        comparison = _read(asked.file)
        prepare_libraries()
        from aretusa_compress.calr.comparison_run import compare  # noqa: PLC0415 - loads torch

        with Bars(quiet=asked.quiet) as bars:
            found = compare(comparison, asked.output_dir, bars, keep=asked.keep)
    except CompressError as problem:
        sys.stderr.write(f"{problem}\n")
        return problem.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("stopped; the same command goes on where it was\n")
        return _INTERRUPTED
    output: Path = asked.output_dir
    (output / f"{NAME}.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    (output / f"{NAME}.csv").write_text(as_csv(found), "utf-8")
    if can_draw():
        draw(found, output / f"{NAME}.png")
    table = as_markdown(found)
    (output / f"{NAME}.md").write_text(table, "utf-8")
    sys.stdout.write(table)
    return 0


def _read(file: Path) -> Comparison:
    comparison = validated(Comparison, read_yaml(file), file=file)
    if not comparison.data.evaluation:
        raise UsageError(
            "E0505",
            "the comparison has no data.evaluation",
            file=file,
            fix="Add data: {evaluation: {news: {stand_in: brown-news}}}",
        )
    return comparison


if __name__ == "__main__":
    sys.exit(main())
