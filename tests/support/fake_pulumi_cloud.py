"""The part of Pulumi Cloud's REST API that stack tags need, with the limits of tags."""

from __future__ import annotations

import json
import re

from loopback import Answer, Service

TOKEN, ORGANIZATION = "pul-fake", "acme"
NAME = re.compile(r"[a-zA-Z0-9-_.:]{1,40}")


class FakePulumiCloud(Service):
    """Stacks of one organization: (project, name) -> tags."""

    def __init__(self):
        super().__init__()
        self.stacks = {}

    def answer(self, call):
        if call.headers.get("authorization") != f"token {TOKEN}":
            return Answer(401, b'{"code":401,"message":"Unauthorized"}')
        words = call.path.strip("/").split("/")
        if call.method == "GET" and call.path == "/api/user/organizations/default":
            return _json({"GitHubLogin": ORGANIZATION})
        if call.method == "GET" and call.path == "/api/user/stacks":
            return self._listed(call)
        if words[:3] != ["api", "stacks", ORGANIZATION] or len(words) < 5:
            return None
        tags = self.stacks.get((words[3], words[4]))
        if tags is None:
            return Answer(404, b'{"code":404,"message":"Not Found: Stack not found"}')
        if call.method == "GET" and len(words) == 5:
            return _json({"orgName": ORGANIZATION, "stackName": words[4], "tags": tags})
        if call.method == "POST" and words[5:] == ["tags"]:
            return _made(tags, json.loads(call.body))
        if call.method == "DELETE" and words[5] == "tags" and len(words) == 7:
            found = tags.pop(words[6], None)
            return Answer(204 if found is not None else 404)
        return None

    def _listed(self, call):
        wanted, after = call.query.get("project"), call.query.get("continuationToken", "")
        names = sorted(
            stack for project, stack in self.stacks if project == wanted and stack > after
        )
        page = [
            {"orgName": ORGANIZATION, "projectName": wanted, "stackName": stack}
            for stack in names[:2]
        ]
        more = {"continuationToken": names[1]} if len(names) > 2 else {}  # so that there are pages
        return _json({"stacks": page, **more})


def _made(tags, asked):
    if not NAME.fullmatch(asked["name"]) or len(asked["value"]) > 256:
        return Answer(400, b'{"code":400,"message":"Bad Request: invalid tag"}')
    if asked["name"] in tags:
        return Answer(400, b'{"code":400,"message":"Bad Request: a tag with that name exists"}')
    tags[asked["name"]] = asked["value"]
    return Answer(204)


def _json(value):
    return Answer(200, json.dumps(value).encode(), {"content-type": "application/json"})
