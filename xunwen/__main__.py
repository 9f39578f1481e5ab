"""`xunwen`, also as `python -m xunwen`. The script is there where the client alone is installed."""

import sys


def main() -> None:
    """Runs the command line, or says how to install it."""
    try:
        from xunwen.cli.main import main as run
    except ModuleNotFoundError as error:
        sys.exit(
            f"xunwen: The command line needs {error.name}; install the extra:"
            " pip install 'xunwen[cli]'."
        )
    run()


if __name__ == "__main__":
    main()
