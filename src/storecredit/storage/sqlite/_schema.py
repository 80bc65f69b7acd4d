"""The tables: what the database itself refuses, and the steps that bring a file up to date (S8)."""

from typing import Final

from storecredit.ledger import INFLOWS, OUTFLOWS, TOTALS

APPLICATION_ID: Final = 0x53744372
"""Marks a file as ours in its header: "StCr"."""

_MOST: Final = 2**63 - 1


def _bounded(*columns: str) -> str:
    """
    Declare whole numbers from zero to the largest (V2).

    Both ends are needed: SQLite sorts texts and blobs after every number.
    """
    return ",\n    ".join(
        f"{column} INTEGER NOT NULL CHECK ({column} BETWEEN 0 AND {_MOST})" for column in columns
    )


def _conserved() -> str:
    """
    Require that what came in is what left and what is still there (A2).

    The sums of the upper and of the lower 32 bits are compared apart: the plain sum of amounts
    near the largest would overflow, and SQLite would go on with floats.
    """

    def balance_of(part: str) -> str:
        came = " + ".join(f"({name} {part})" for name in INFLOWS)
        left = " - ".join(f"({name} {part})" for name in (*OUTFLOWS, "balance"))
        return f"({came} - {left})"

    upper, lower = balance_of(">> 32"), balance_of("& 4294967295")
    return f"CHECK ({upper} * 4294967296 = -{lower})"


_TABLES: Final = f"""
CREATE TABLE wallets (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    merchant TEXT NOT NULL,
    holder TEXT NOT NULL,
    merged_into TEXT,
    UNIQUE (merchant, holder)
);

-- The state of each account, as its journal leads to it. An account's id is the id of its
-- wallet, a point and its unit.
CREATE TABLE accounts (
    number INTEGER PRIMARY KEY,
    wallet INTEGER NOT NULL REFERENCES wallets,
    unit TEXT NOT NULL,
    digits INTEGER NOT NULL CHECK (digits BETWEEN 0 AND 9),
    version INTEGER NOT NULL CHECK (version >= 1),
    head BLOB NOT NULL CHECK (length(head) = 32),
    last_at TEXT NOT NULL,
    {_bounded(*TOTALS)},
    status TEXT NOT NULL,
    credit_limit,
    spenders TEXT,
    merged_into TEXT,
    UNIQUE (wallet, unit),
    CHECK (held <= balance),
    CHECK (owed_incurred - owed_settled - owed_reversed >= 0),
    {_conserved()}
);

-- Ids of lots, holds and entries are kept without the account's id before them.
CREATE TABLE lots (
    account INTEGER NOT NULL REFERENCES accounts,
    id BLOB NOT NULL CHECK (length(id) = 16),
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    issued_at TEXT NOT NULL,
    funding TEXT NOT NULL,
    effective_at TEXT NOT NULL,
    expires_at TEXT,
    priority INTEGER NOT NULL,
    limits TEXT,
    paid TEXT,
    origin TEXT,
    {_bounded("amount", "remaining", "held", "expired", "revoked")},
    state TEXT NOT NULL,
    is_open INTEGER NOT NULL,
    UNIQUE (account, id),
    CHECK (held <= remaining AND remaining <= amount),
    CHECK (is_open = (remaining > 0))
);
-- What is spent and over drops out of these indexes, so they do not grow with history (S3).
CREATE INDEX lots_open ON lots (account) WHERE is_open = 1;
CREATE INDEX lots_due ON lots (expires_at, account) WHERE is_open = 1 AND expires_at IS NOT NULL;

CREATE TABLE holds (
    account INTEGER NOT NULL REFERENCES accounts,
    id BLOB NOT NULL CHECK (length(id) = 16),
    placed_at TEXT NOT NULL,
    lapses_at TEXT NOT NULL,
    reference TEXT,
    status TEXT NOT NULL,
    draws TEXT NOT NULL,
    {_bounded("captured")},
    UNIQUE (account, id)
);
CREATE INDEX holds_active ON holds (account) WHERE status = 'active';

CREATE TABLE restored (
    account INTEGER NOT NULL REFERENCES accounts,
    redemption TEXT NOT NULL,
    move INTEGER NOT NULL CHECK (move >= 0),
    {_bounded("amount")},
    PRIMARY KEY (account, redemption, move)
) WITHOUT ROWID;

-- The journal. Everything else about accounts can be rebuilt from it.
CREATE TABLE entries (
    account INTEGER NOT NULL REFERENCES accounts,
    sequence INTEGER NOT NULL CHECK (sequence >= 1),
    id BLOB NOT NULL CHECK (length(id) = 16),
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (account, sequence),
    UNIQUE (account, key),
    UNIQUE (account, id)
);
CREATE TRIGGER entries_are_final BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'journal rows are never changed'); END;
CREATE TRIGGER entries_stay BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'journal rows are never deleted'); END;

-- Private fields of entries, and the salts of the commitments to them: erased by deletion.
CREATE TABLE private (
    account INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    field TEXT NOT NULL CHECK (field IN ('actor', 'note', 'data')),
    salt TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (account, sequence, field),
    FOREIGN KEY (account, sequence) REFERENCES entries
) WITHOUT ROWID;
CREATE TRIGGER private_is_final BEFORE UPDATE ON private
BEGIN SELECT RAISE(ABORT, 'private fields are erased, and never changed'); END;

-- Everything that is not an account (S11).
CREATE TABLE records (
    merchant TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    body TEXT NOT NULL,
    PRIMARY KEY (merchant, kind, id)
) WITHOUT ROWID;
CREATE TABLE record_references (
    merchant TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (merchant, kind, id, name),
    FOREIGN KEY (merchant, kind, id) REFERENCES records
) WITHOUT ROWID;
CREATE INDEX records_by_reference ON record_references (merchant, kind, name, value, id);
"""

_LAPSING: Final = """
CREATE INDEX holds_lapsing ON holds (lapses_at, account) WHERE status = 'active';
"""

STEPS: Final = (_TABLES, _LAPSING)
"""What each version adds to the one before. A step that was released is never edited."""

VERSION: Final = len(STEPS)
"""The version that this library reads and writes; the file keeps it as its ``user_version``."""
