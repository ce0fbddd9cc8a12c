"""`python -m certune` is the same as `certune`."""

from certune.cli import main

if __name__ == "__main__":
    main()
