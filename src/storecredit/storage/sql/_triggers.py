"""Triggers that keep the journal final, on the engines that have them (S6)."""

from typing import Any, Final

from sqlalchemy import DDL, Table, event

_FINAL: Final = "journal rows are never changed"
_STAY: Final = "journal rows are never deleted"
_ERASED: Final = "private fields are erased, and never changed"


def guard_journal(entries: Table, private: Table) -> None:
    """Let the engine refuse to change or delete entries, and to change private fields."""
    for table, event_name, message in (
        (entries, "UPDATE", _FINAL),
        (entries, "DELETE", _STAY),
        (private, "UPDATE", _ERASED),
    ):
        name = f"{table.name}_no_{event_name.lower()}"
        for dialect, statements in _statements(table, name, event_name, message).items():
            for statement in statements:
                # In DDL a percent sign would be the beginning of a placeholder.
                ddl: Any = DDL
                made = ddl(statement.replace("%", "%%")).execute_if(dialect=dialect)
                event.listen(table, "after_create", made)


def _statements(table: Table, name: str, when: str, message: str) -> dict[str, tuple[str, ...]]:
    schema = "" if table.schema is None else f"{table.schema}."
    full = f"{schema}{table.name}"
    signal = (
        f"CREATE TRIGGER {schema}{name} BEFORE {when} ON {full} FOR EACH ROW"
        f" SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{message}'"
    )
    function = (
        f"CREATE OR REPLACE FUNCTION {schema}{name}() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = 'restrict_violation'; END $$"
    )
    calling = (
        f"CREATE TRIGGER {name} BEFORE {when} ON {full}"
        f" FOR EACH ROW EXECUTE FUNCTION {schema}{name}()"
    )
    aborting = (
        f"CREATE TRIGGER {schema}{name} BEFORE {when} ON {table.name}"
        f" BEGIN SELECT RAISE(ABORT, '{message}'); END"
    )
    return {
        "postgresql": (function, calling),
        "sqlite": (aborting,),
        "mysql": (signal,),
        "mariadb": (signal,),
    }
