"""
Real database servers for tests: PostgreSQL, MariaDB, and a Galera cluster of three.

Each is private to the process that starts it, keeps its data in a temporary folder, listens on
loopback only, and ends with that process even if it is killed. `fixtures` hands them to tests.
"""
