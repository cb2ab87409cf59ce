"""`langchain-prodkit` and `python -m langchain_prodkit`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; without its extra, say how to get it."""
    from langchain_prodkit.errors import ProdkitError  # noqa: PLC0415 - errors import langchain-core

    try:
        from langchain_prodkit._extras import require  # noqa: PLC0415

        require("typer", extra="cli")
        from langchain_prodkit.cli import app  # noqa: PLC0415 - needs the extra

        app()
    except ProdkitError as error:
        print(f"langchain-prodkit: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)  # noqa: T201
        sys.exit(130)


if __name__ == "__main__":
    main()
