"""The routes of the REST API: the handler of each path and method."""

from functools import partial

from crm_sync.sandbox.api import collections, composite, records, resources
from crm_sync.sandbox.service import Routes

NAME = r"(?P<name>[A-Za-z]\w*)"


def build_routes() -> Routes:
    """Return the routes below `/services/data/vXX.0`. More specific paths come first, as the first match answers."""
    routes = Routes()
    routes.add("", GET=resources.list_resources)
    routes.add("/limits", GET=resources.read_limits)
    routes.add("/query", GET=resources.query)
    routes.add("/queryAll", GET=resources.query_all)
    routes.add(r"/query(?:All)?/(?P<locator>[^/]+)", GET=resources.query_more)
    routes.add("/sobjects", GET=resources.list_objects)
    routes.add(f"/sobjects/{NAME}/describe", GET=resources.describe)
    routes.add(f"/sobjects/{NAME}/deleted", GET=resources.list_deleted)
    routes.add(f"/sobjects/{NAME}/updated", GET=resources.list_updated)
    routes.add(f"/sobjects/{NAME}", GET=resources.read_object, POST=records.create_record)
    routes.add(f"/sobjects/{NAME}/(?P<key>Id)", POST=records.create_by_id_key)
    routes.add(
        f"/sobjects/{NAME}/(?P<record_id>[^/]+)",
        GET=records.retrieve_record,
        PATCH=records.update_record,
        DELETE=records.delete_record,
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
    routes.add(f"/composite/tree/{NAME}", POST=composite.create_tree)
    return routes


ROUTES = build_routes()
