"""Small states with their seconds, as a deployment has them."""

from hypothesis import strategies as st


def resource(urn, *needs, custom=True, **more):
    return {"urn": urn, "custom": custom, "dependencies": list(needs), **more}


CHAIN = [resource("a"), resource("b", "a"), resource("c", "b"), resource("d", "a")]
SECONDS = {"a": 10, "b": 20, "c": 5, "d": 100}


@st.composite
def graphs(draw):
    size = draw(st.integers(1, 12))
    resources = []
    for index in range(size):
        needs = draw(st.sets(st.integers(0, index - 1), max_size=3)) if index else set()
        resources.append(resource(str(index), *(str(need) for need in needs)))
    seconds = {str(index): draw(st.integers(0, 50)) for index in range(size)}
    return resources, seconds
