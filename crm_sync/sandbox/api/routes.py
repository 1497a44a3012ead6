"""The routes of the REST API: the handler of each path and method."""

from functools import partial

from crm_sync.sandbox.api import (
    bulk_ingest,
    bulk_jobs,
    bulk_query,
    collections,
    composite,
    layouts,
    list_views,
    recent,
    records,
    relationships,
    resources,
    search,
    tooling,
)
from crm_sync.sandbox.service import Routes

NAME = r"(?P<name>[A-Za-z]\w*)"
RELATIONSHIP = r"(?P<relationship>[A-Za-z]\w*)"


def build_routes() -> Routes:
    """Return the routes below `/services/data/vXX.0`. More specific paths come first, as the first match answers."""
    routes = Routes()
    routes.add("", GET=resources.list_resources)
    routes.add("/limits", GET=resources.read_limits)
    routes.add("/query", GET=resources.query)
    routes.add("/queryAll", GET=resources.query_all)
    routes.add(r"/query(?:All)?/(?P<locator>[^/]+)", GET=resources.query_more)
    routes.add("/search", GET=search.search)
    routes.add("/parameterizedSearch", GET=search.search_by_parameters, POST=search.search_by_parameters)
    routes.add("/recent", GET=recent.read_recent)
    routes.add("/sobjects", GET=resources.list_objects)
    routes.add(f"/sobjects/{NAME}/describe", GET=resources.describe)
    routes.add(f"/sobjects/{NAME}/deleted", GET=resources.list_deleted)
    routes.add(f"/sobjects/{NAME}/updated", GET=resources.list_updated)
    add_page_routes(routes)
    routes.add(f"/sobjects/{NAME}", GET=resources.read_object, POST=records.create_record)
    routes.add(f"/sobjects/{NAME}/(?P<key>Id)", POST=records.create_by_id_key)
    routes.add(
        f"/sobjects/{NAME}/(?P<record_id>[^/]+)",
        GET=records.retrieve_record,
        PATCH=records.update_record,
        DELETE=records.delete_record,
    )
    # An id has no underscore, which the name of every custom field has.
    routes.add(
        rf"/sobjects/{NAME}/(?P<record_id>[A-Za-z0-9]{{15}}(?:[A-Za-z0-9]{{3}})?)/{RELATIONSHIP}",
        GET=relationships.read_related,
        PATCH=relationships.update_related,
        DELETE=relationships.delete_related,
    )
    routes.add(
        rf"/sobjects/{NAME}/(?P<key>\w+)/(?P<value>[^/]+)",
        GET=records.retrieve_by_key,
        PATCH=records.upsert_by_key,
        DELETE=records.delete_by_key,
    )
    routes.add(
        "/composite/sobjects",
        POST=collections.create_collection,
        PATCH=collections.update_collection,
        DELETE=collections.delete_collection,
    )
    routes.add(f"/composite/sobjects/{NAME}", GET=collections.retrieve_collection, POST=collections.retrieve_collection)
    routes.add(rf"/composite/sobjects/{NAME}/(?P<key>\w+)", PATCH=collections.upsert_collection)
    routes.add("/composite", POST=partial(composite.run_composite, routes=routes))
    routes.add("/composite/batch", POST=partial(composite.run_batch, routes=routes))
    routes.add("/composite/graph", POST=partial(composite.run_graphs, routes=routes))
    routes.add(f"/composite/tree/{NAME}", POST=composite.create_tree)
    job = r"(?P<job_id>\w{15,18})"
    for kind, module in (("ingest", bulk_ingest), ("query", bulk_query)):
        routes.add(f"/jobs/{kind}", GET=partial(bulk_jobs.list_jobs, kind=kind), POST=module.create_job)
        routes.add(
            f"/jobs/{kind}/{job}",
            GET=partial(bulk_jobs.read_job, kind=kind),
            PATCH=module.change_job,
            DELETE=partial(bulk_jobs.delete_job, kind=kind),
        )
    routes.add(f"/jobs/ingest/{job}/batches", PUT=bulk_ingest.upload_rows)
    routes.add(f"/jobs/ingest/{job}/successfulResults", GET=bulk_ingest.read_successful)
    routes.add(f"/jobs/ingest/{job}/failedResults", GET=bulk_ingest.read_failed)
    routes.add(f"/jobs/ingest/{job}/unprocessedrecords", GET=bulk_ingest.read_unprocessed)
    routes.add(f"/jobs/query/{job}/results", GET=bulk_query.read_results)
    return routes


def add_page_routes(routes: Routes) -> None:
    """Add the routes of what clients show on pages of their own: layouts and list views; and of the Tooling API."""
    record_type = r"(?P<record_type>\w{15,18})"
    compact = f"/sobjects/{NAME}/describe/compactLayouts"
    routes.add(f"/sobjects/{NAME}/describe/layouts", GET=layouts.list_layouts)
    routes.add(f"/sobjects/{NAME}/describe/layouts/{record_type}", GET=layouts.read_layout)
    routes.add(compact, GET=layouts.list_compact_layouts)
    routes.add(f"{compact}/primary", GET=layouts.read_primary)
    routes.add(f"{compact}/{record_type}", GET=layouts.read_compact_layout)
    routes.add("/compactLayouts", GET=layouts.list_primaries)
    view = r"(?P<view_id>\w{15,18})"
    routes.add(f"/sobjects/{NAME}/listviews", GET=list_views.list_views)
    routes.add(f"/sobjects/{NAME}/listviews/recent", GET=list_views.list_recent_views)
    routes.add(f"/sobjects/{NAME}/listviews/{view}", GET=list_views.read_view)
    routes.add(f"/sobjects/{NAME}/listviews/{view}/describe", GET=list_views.describe_view)
    routes.add(f"/sobjects/{NAME}/listviews/{view}/results", GET=list_views.read_results)
    routes.add("/tooling", GET=tooling.list_resources)
    routes.add("/tooling/query", GET=tooling.run_query)
    routes.add(r"/tooling/query/(?P<locator>[^/]+)", GET=tooling.query_more)
    routes.add("/tooling/sobjects", GET=tooling.list_objects)
    routes.add(f"/tooling/sobjects/{NAME}/describe", GET=tooling.describe)


ROUTES = build_routes()
