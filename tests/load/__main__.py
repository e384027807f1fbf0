"""`make bench`: every measurement with its goals; JSON, one line each."""

import sys

from tests.load import connects, fanout, guessing, search

if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    raise SystemExit(fanout.main() | connects.main() | guessing.main() | search.main())
