"""Registers the panels of the home page that tell of activities and sites."""

from __future__ import annotations

from activities.home.charts import build_charts, may_have_charts
from activities.home.due import build_due
from activities.home.news import build_news
from activities.home.sites import build_sites
from activities.home.team import build_team, may_see_team
from ctms.records.pages.home import HomePanel, HomeView, Place, register_home_panel, register_home_view

TEAM = "team"


def register_activity_panels() -> None:
    """Register the panels in their order; called once, when the app is ready."""
    register_home_view(HomeView(key=TEAM, label="Team", is_offered=may_see_team))
    for panel in (
        HomePanel(key="sites", title="My sites", template="home/sites.html", build=build_sites),
        HomePanel(key="due", title="Due and overdue", template="home/due.html", build=build_due),
        HomePanel(key="team", title="Team", template="home/team.html", build=build_team, view=TEAM),
        HomePanel(
            key="news",
            title="Since you were last here",
            template="home/news.html",
            build=build_news,
            place=Place.SIDE,
        ),
        HomePanel(
            key="charts",
            title="Contacts of the last six months",
            template="home/charts.html",
            build=build_charts,
            is_late=may_have_charts,
        ),
    ):
        register_home_panel(panel)
