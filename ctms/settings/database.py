"""What is told to PostgreSQL, and how long it has."""

from __future__ import annotations

from ctms.settings.environment import env

# What the planner of PostgreSQL is told in each session. Lists of users who see some studies hold many keys: compiling
# them takes longer than reading their rows. And it takes reading by index for too dear, as if from a disk that turns:
# the list of who sees one study of 600, with a million activities, then scans 30,000 of them.
POSTGRESQL_PLANNING = "-c jit=off -c random_page_cost=1.1"

# The longest transaction: what it wrote is sent by the first run that begins after its end.
DATABASE_TRANSACTION_SECONDS = 5 * 60
REPORT_SECONDS = 60  # the longest time that the database has for one page of a report
# How long a connection may take: a page that gets none says so (503), and does not keep a thread waiting.
DATABASE_CONNECT_SECONDS = env.integer("DATABASE_CONNECT_SECONDS", default=3, least=2, most=60)
