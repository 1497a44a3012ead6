"""The page that browser tests get notices what a person with open developer tools would."""

from __future__ import annotations

from playwright.sync_api import Page, Route, expect

SCRIPTED = "<!doctype html><script src='/late.js' defer></script><button>Press</button>"


def test_a_page_without_errors_has_no_problems(page: Page, page_problems: list[str]) -> None:
    page.set_content("<h1>Fine</h1>")
    assert page.inner_text("h1") == "Fine"
    assert page_problems == []


def test_a_console_error_is_a_problem(page: Page, page_problems: list[str]) -> None:
    page.evaluate("console.error('spilt')")
    page.wait_for_function("true")
    assert page_problems == ["console error: spilt"]
    page_problems.clear()


def test_an_uncaught_exception_is_a_problem(page: Page, page_problems: list[str]) -> None:
    with page.expect_event("pageerror"):
        page.evaluate("setTimeout(() => { throw new Error('dropped') })")
    assert page_problems == ["uncaught exception: dropped"]
    page_problems.clear()


def test_a_request_to_another_host_is_a_problem(page: Page, page_problems: list[str]) -> None:
    page.route("**/*", lambda route: route.abort())
    with page.expect_request("https://elsewhere.test/picture.png"):
        page.set_content("<img src='https://elsewhere.test/picture.png' alt=''>", wait_until="commit")
    assert page_problems[0] == "request to another host: https://elsewhere.test/picture.png"
    page_problems.clear()


def test_a_path_alone_means_the_vault(page: Page) -> None:
    response = page.goto("/admin/login/")
    assert response is not None
    assert response.status == 200


def test_a_click_waits_for_the_scripts_of_the_page(page: Page) -> None:
    script = (
        "document.querySelector('button').addEventListener('click', ({target}) => { target.textContent = 'Heard' })"
    )

    def answer_late(route: Route) -> None:
        page.wait_for_timeout(500)
        route.fulfill(content_type="text/javascript", body=script)

    page.route("**/late.js", answer_late)
    page.route("**/scripted/", lambda route: route.fulfill(content_type="text/html", body=SCRIPTED))
    page.goto("/scripted/", wait_until="commit")
    page.get_by_role("button").click()
    expect(page.get_by_role("button")).to_have_text("Heard")
