"""Make calls with requests under betamax: `with_betamax.py FOLDER NAME exact|text`.

It runs in a process of its own, with the betamax of the folder that is tested. The calls come as
JSON on standard input.
"""

import json
import sys

import betamax
import requests


def main(folder: str, name: str, kept: str) -> None:
    session = requests.Session()
    options = {"record": "all", "preserve_exact_body_bytes": kept == "exact"}
    with betamax.Betamax(session, folder).use_cassette(name, **options):
        for call in json.load(sys.stdin):
            session.request(**call, allow_redirects=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
