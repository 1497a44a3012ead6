"""Fail if a locked package has a known vulnerability. Where the data about them cannot be reached, say so."""

from __future__ import annotations

import json
import subprocess
import sys

LOCK_FILE = ".ci/requirements-dev.txt"  # the other lock files are parts of it
AUDIT = (sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off", "--timeout", "10")
NOT_AUDITED = "The data about vulnerabilities cannot be reached from here: the locked packages are not audited"


def main() -> int:
    """Return the exit code: 0 if nothing is known against the packages, or nothing could be asked."""
    done = subprocess.run(
        [*AUDIT, "--disable-pip", "--require-hashes", "-r", LOCK_FILE], capture_output=True, text=True, check=False
    )
    if not done.stdout:
        if "requests.exceptions." not in done.stderr and "Could not connect" not in done.stderr:
            sys.stderr.write(done.stderr)
            return 1
        print(f"{NOT_AUDITED}.")
        return 0
    packages = json.loads(done.stdout)["dependencies"]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    vulnerable = [package for package in packages if package.get("vulns")]
    for package in vulnerable:
        for each in package["vulns"]:
            fixed = ", ".join(each["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {each['id']}, fixed in {fixed}")
    if len(unknown) == len(packages):
        print(f"{NOT_AUDITED}.")
    elif unknown:
        print(f"{NOT_AUDITED} as far as these are concerned: {', '.join(unknown)}.")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
