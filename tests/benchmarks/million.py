"""Fills a Vault with any number of activities by statements in the database: a million take a minute, not an hour."""

from __future__ import annotations

from django.db import connection

from activities.models import Activity
from ctms.accounts.models import User
from ctms.clinical.models import Person, Study, StudySite
from tests.factories.base import get_admin_user
from tests.factories.bulk import create_people, create_sites
from tests.factories.clinical import StudyAssignmentFactory, StudyCountryFactory, StudyFactory

STUDIES, SITES_OF_A_STUDY, PEOPLE = 10, 50, 5000  # so that the list of a study fills its page from 1,000 on
# Words in half of all subjects, in one of twelve, and in five, however many subjects there are.
FREQUENT, OCCASIONAL, RARE = "visit", "amendment", "zoledronate"
# The number of activities of the last study. They are the oldest of all.
FEW = 20
_STEP = 200_000  # activities in one statement

_PLACES = """
CREATE TEMPORARY TABLE place AS SELECT row_number() OVER (ORDER BY id) - 1 AS at, id, study_id, study_country_id
FROM clinical_studysite;
CREATE TEMPORARY TABLE contact AS SELECT row_number() OVER (ORDER BY id) - 1 AS at, id FROM clinical_person;
ANALYZE place; ANALYZE contact;
-- The same number each time for the same row, and nothing to do with those of its other columns.
CREATE FUNCTION pg_temp.draw(n bigint, column_number int, choices int) RETURNS int LANGUAGE sql IMMUTABLE
RETURN (hashint8extended(n, column_number) & 1073741823) %% choices;
"""
_INSERT = """
INSERT INTO activities_activity (
    uid, version, created_at, created_by_id, modified_at, modified_by_id, name, status, object_type, external_id,
    custom_fields, person_id, date, channel, complete, from_text, subject, notes, study_id, study_country_id, site_id,
    connection_id, crm_id, is_generated
)
SELECT
    gen_random_uuid(), 1, now(), %(user)s, now() - n * interval '1 second', %(user)s,
    'ACT-' || upper(substr(md5(n::text), 1, 8)), 'active__v', 'clinical_activity__v', NULL, '{}', contact.id,
    CASE WHEN n <= %(few)s THEN date '2020-01-01' ELSE date '2023-01-01' + pg_temp.draw(n, 1, 1100) END,
    (ARRAY['in_person__v', 'video__v', 'phone__v', 'chat_text__v', 'email__v', 'other__v'])[1 + pg_temp.draw(n, 2, 6)],
    pg_temp.draw(n, 3, 3) > 0, 'Ada Admin (ada.admin@example.org)',
    CASE WHEN pg_temp.draw(n, 4, 2) = 0 THEN 'Visit ' ELSE 'Call about ' END
        || (ARRAY['screening', 'enrolment', 'queries', 'drug supply', 'safety', 'training', 'closure'])
            [1 + pg_temp.draw(n, 5, 7)]
        || CASE WHEN pg_temp.draw(n, 6, 12) = 0 THEN ' amendment' ELSE '' END
        || CASE WHEN n BETWEEN 101 AND 105 THEN ' zoledronate' ELSE '' END || ' ' || n,
    '', place.study_id, place.study_country_id, place.id, NULL, '', FALSE
FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
JOIN place ON place.at = CASE WHEN n <= %(few)s THEN %(sites)s - 1 ELSE pg_temp.draw(n, 7, %(sites)s - %(of_one)s) END
JOIN contact ON contact.at = pg_temp.draw(n, 8, %(people)s)
ORDER BY n
"""
# Indexes that no constraint needs: dropped, and created again after the rows, which is many times faster.
_INDEXES = """
SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'activities_activity'
AND indexname NOT IN (SELECT conname FROM pg_constraint)
"""


def create_world(*, studies: int = STUDIES, sites: int = SITES_OF_A_STUDY) -> None:
    """Create studies with so many sites each, and people."""
    create_people(PEOPLE)
    for _ in range(studies):
        create_sites(sites, study_country=StudyCountryFactory.create(study=StudyFactory.create()))


def grow_to(count: int, *, sites: int = SITES_OF_A_STUDY) -> None:
    """Add activities until there are `count`, and update the database's statistics. A study has so many `sites`."""
    figures = {
        "user": get_admin_user().pk,
        "few": FEW,
        "sites": StudySite.objects.count(),
        "of_one": sites,
        "people": Person.objects.count(),
    }
    present = Activity.objects.count()
    with connection.cursor() as cursor:
        cursor.execute(_INDEXES)
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
        cursor.execute(_PLACES, {})
        for first in range(present + 1, count + 1, _STEP):
            cursor.execute(_INSERT, figures | {"first": first, "last": min(first + _STEP - 1, count)})
        cursor.execute("DROP TABLE place; DROP TABLE contact; DROP FUNCTION pg_temp.draw")
        cursor.execute("SET maintenance_work_mem = '512MB'")
        for _, definition in indexes:
            cursor.execute(definition)
        cursor.execute("VACUUM ANALYZE")


def assign(user: User, *, last: int, but: int = 0) -> None:
    """Assign the user to the last `last` studies `but` some. The very last has few and old activities."""
    for study in Study.objects.order_by("-pk")[but : but + last]:
        StudyAssignmentFactory.create(user=user, study=study)
