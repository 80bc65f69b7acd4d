"""`python -m storecredit.cli` is `storecredit`."""

import sys

from storecredit.cli import main

sys.exit(main())
