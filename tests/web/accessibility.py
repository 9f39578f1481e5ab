"""What axe-core finds on a page."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

PHONE = {"width": 375, "height": 800}


def findings(page: Page) -> list[str]:
    """Serious and critical violations, each with the elements that have it."""
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    page.wait_for_timeout(200)  # colours in transition have no contrast yet
    violations = Axe().run(page).response["violations"]
    return [
        f"{v['id']}: {node['target']} {node['failureSummary']}"
        for v in violations
        if v["impact"] in ("serious", "critical")
        for node in v["nodes"]
    ]
