"""`python -m services.cli`: how the supervisor starts its own children."""

from services.cli.app import main

if __name__ == "__main__":
    main()
