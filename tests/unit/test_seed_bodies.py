"""Doing it again from a step inside a body, and what becomes of bodies that are not done again."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.engine.commands import ResumeStep
from domain.engine.decide import fold
from domain.engine.outcomes import BodyFailed
from domain.engine.plan import Plan, compile_plan
from domain.engine.seed import failed_path, retryable_paths, seed
from domain.engine.views import entering
from domain.graphs import Definition, Edge, FailureStrategy, Graph, Node
from domain.json import JSON, JSONObject, as_list, as_object
from jobs.nodes.catalog import CATALOG
from tests.unit.engine_world import EPOCH, Answer, World, completed, failed
from tests.unit.loop_world import again, broken, going, loop, plain, plan_of, results


def default_path(first: World) -> str | None:
    return failed_path(fold(first.plan, first.log, keeps=True))


def answers(loops: dict[str, Answer], failing: tuple[str, ...] = (), **more: JSON):
    """A loop begins its body when it runs and ends with what it gathered when it resumes; `failing` steps fail."""
    begun: set[str] = set()

    def answer(path: str) -> Answer:
        if path in loops and path not in begun:
            begun.add(path)
            return loops[path]
        if path in loops:
            inside = next((each for each in failing if each.startswith(f"{path}[")), None)
            return broken(inside) if inside else completed(output="gathered")
        return failed() if path in failing else completed(output=path, **more)

    return answer


def test_a_retry_goes_on_in_the_iteration_that_failed() -> None:
    first = World(plan_of(loop("price", "charge"), plain("after"))).start()
    first.run(answers({"loop": going(1, 2, 3)}, ("loop[1].charge",))).conclude()
    assert default_path(first) == "loop[1].charge"

    world = again(first, "loop[1].charge")

    assert list(world.ready) == ["loop[1].charge"]
    ran: list[str] = []
    while world.ready:
        path = next(iter(world.ready))
        ran.append(path)
        world.answer(path, completed(output=path))
    assert ran == ["loop[1].charge", "loop[2].price", "loop[2].charge", "loop", "after"]
    assert world.finish is not None
    assert world.finish.output == "after"


def test_the_results_of_the_iterations_before_are_still_there() -> None:
    first = World(plan_of(loop("price"), plain("after"))).start()
    first.run(answers({"loop": going("a", "b")}, ("loop[1].price",))).conclude()

    world = again(first, "loop[1].price")
    world.answer("loop[1].price", completed(output="second"))

    assert results(world, "loop") == ["loop[0].price", "second"]


def test_of_iterations_at_once_only_the_one_that_failed_and_what_it_stopped_run_again() -> None:
    first = World(plan_of(loop("price"))).start()
    first.answer("start", completed())
    first.answer("loop", going(1, 2, 3, concurrency=3))
    first.answer("loop[2].price", completed(output="kept"))
    first.answer("loop[0].price", failed())
    first.answer("loop", broken("loop[0].price"))
    first.conclude()

    world = again(first, "loop[0].price")

    assert sorted(world.ready) == ["loop[0].price", "loop[1].price"]


def test_other_iterations_whose_failure_was_let_pass_stay_as_they_are() -> None:
    first = World(plan_of(loop("price"))).start()
    first.answer("start", completed())
    first.answer("loop", going(1, 2, 3, concurrency=3, errorHandling="continue"))
    for index in (1, 2):
        first.answer(f"loop[{index}].price", failed())
    first.answer("loop[0].price", completed(output="good"))
    first.run().conclude()

    assert list(again(first, "loop[1].price").ready) == ["loop[1].price"]


def test_an_element_of_each_is_done_again_alone() -> None:
    each = Node(id="price", kind="set", config={"values": {}}, each=["a", "b"])
    first = World(plan_of(each)).start()
    first.answer("start", completed())
    first.answer("price", going("a", "b"))
    first.answer("price[0]", completed(output="first"))
    first.answer("price[1]", failed())
    first.answer("price", broken("price[1]"))
    first.conclude()

    assert default_path(first) == "price[1]"
    assert list(again(first, "price[1]").ready) == ["price[1]"]


def test_a_step_in_a_loop_in_a_loop_goes_on_in_both() -> None:
    inner: JSONObject = {
        "nodes": [
            {
                "id": "inner",
                "kind": "loop",
                "config": {"body": {"nodes": [{"id": "price", "kind": "set", "config": {"values": {}}}], "edges": []}},
            }
        ],
        "edges": [],
    }
    first = World(plan_of(Node(id="loop", kind="loop", config={"body": inner}))).start()
    first.answer("start", completed())
    first.answer("loop", going("a", "b"))
    for outer in range(2):
        first.answer(f"loop[{outer}].inner", going(1, 2))
        first.answer(f"loop[{outer}].inner[0].price", completed(output=[outer, 0]))
        if outer == 0:
            first.answer("loop[0].inner[1].price", completed(output=[0, 1]))
            first.answer("loop[0].inner", completed(output="first"))
    first.answer("loop[1].inner[1].price", failed())
    first.answer("loop[1].inner", broken("loop[1].inner[1].price"))
    first.answer("loop", broken("loop[1].inner"))
    first.conclude()

    assert default_path(first) == "loop[1].inner[1].price"
    world = again(first, "loop[1].inner[1].price")

    assert list(world.ready) == ["loop[1].inner[1].price"]
    world.answer("loop[1].inner[1].price", completed(output="mended"))
    assert results(world, "loop[1].inner") == [[1, 0], "mended"]


def test_a_finished_iteration_done_again_takes_those_after_it_along() -> None:
    first = World(plan_of(loop("price"), plain("after"))).start()
    first.run(answers({"loop": going(1, 2, 3)})).conclude()

    world = again(first, "loop[1].price")

    assert list(world.ready) == ["loop[1].price"]
    world.run(answers({})).conclude()
    assert [event.path for event in world.log[2:-1]] == ["loop[1].price", "loop[2].price", "loop", "after"]


def test_an_edited_input_is_that_of_the_step_inside() -> None:
    first = World(plan_of(loop("price"))).start()
    first.run(answers({"loop": going(1, 2)}, ("loop[1].price",))).conclude()

    world = again(first, "loop[1].price", {"loop[1].price": "edited"})

    step = world.state.steps["loop[1].price"]
    assert entering(world.plan, world.state, step) == "edited"


def test_a_loop_that_was_tried_again_goes_on_with_its_last_attempt() -> None:
    first = World(plan_of(loop("price"))).start()
    first.answer("start", completed())
    first.answer("loop", going(1, 2))
    first.answer("loop[0].price", completed(output="old"))
    first.answer("loop[1].price", failed())
    first.answer("loop", failed(retryAt=EPOCH.isoformat()))
    first.answer("loop", going(1, 2))
    first.answer("loop[0].price", completed(output="new"))
    first.answer("loop[1].price", failed())
    first.answer("loop", broken("loop[1].price"))
    first.conclude()

    world = again(first, "loop[1].price")

    assert list(world.ready) == ["loop[1].price"]
    world.answer("loop[1].price", completed(output="mended"))
    assert results(world, "loop") == ["new", "mended"]


def test_a_retry_of_such_a_retry_keeps_what_both_had_finished() -> None:
    first = World(plan_of(loop("price"))).start()
    first.run(answers({"loop": going(1, 2, 3)}, ("loop[1].price",))).conclude()
    second = again(first, "loop[1].price")
    second.answer("loop[1].price", completed(output="second"))
    second.answer("loop[2].price", failed())
    second.answer("loop", broken("loop[2].price"))
    second.conclude()

    world = again(second, "loop[2].price")

    assert list(world.ready) == ["loop[2].price"]
    world.answer("loop[2].price", completed(output="third"))
    assert results(world, "loop") == ["loop[0].price", "second", "third"]


def test_variables_set_inside_a_loop_that_stands_are_still_set() -> None:
    first = World(plan_of(loop("price"), plain("after"))).start()
    first.answer("start", completed(variables={"n": 0}))
    first.answer("loop", going(1, 2))
    first.answer("loop[0].price", completed(variables={"n": 1, "first": True}))
    first.answer("loop[1].price", completed(variables={"n": 2}))
    first.answer("loop", completed(output="all"))
    first.answer("after", failed())
    first.conclude()

    second = again(first, "after")
    assert second.state.vars == {"n": 2, "first": True}

    second.answer("after", failed())
    second.conclude()
    assert again(second, "after").state.vars == {"n": 2, "first": True}
    assert again(second, "loop").state.vars == {"n": 0}


def test_what_was_undone_is_done_again() -> None:
    plan = plan_of(plain("charge", undo=True), plain("note"), plain("ship"), strategy=FailureStrategy.COMPENSATE)
    first = World(plan).start()
    first.run(lambda path: failed() if path == "ship" else completed(output=path)).conclude()
    assert first.statuses()["charge:undo"] == "COMPLETED"

    assert list(again(first, "ship").ready) == ["charge"]


def test_what_could_not_be_undone_is_not_done_twice() -> None:
    plan = plan_of(plain("charge", undo=True), plain("ship"), strategy=FailureStrategy.COMPENSATE)
    first = World(plan).start()
    first.run(lambda path: failed() if path in ("ship", "charge:undo") else completed(output=path)).conclude()

    assert list(again(first, "ship").ready) == ["ship"]


def test_a_retry_that_fails_undoes_what_it_took_over() -> None:
    plan = plan_of(plain("charge", undo=True), plain("ship"), plain("tell"), strategy=FailureStrategy.COMPENSATE)
    first = World(plan).start()
    first.run(lambda path: failed() if path in ("ship", "charge:undo") else completed(output=path)).conclude()
    world = again(first, "ship")

    world.answer("ship", completed())
    world.answer("tell", failed())

    assert list(world.ready) == ["charge:undo"]


def test_a_step_in_a_later_pass_of_a_cycle_begins_with_its_container() -> None:
    nodes = [Node(id="start", kind="trigger"), loop("price")]
    ways = [Edge(source="start", target="loop"), Edge(source="loop", target="loop", max_iterations=1)]
    first = World(compile_plan(Definition(graph=Graph(nodes=nodes, edges=ways)), CATALOG)).start()
    first.answer("start", completed())
    for path in ("loop", "loop#2"):
        first.answer(path, going(1))
        first.answer(f"{path}[0].price", completed() if path == "loop" else failed())
        first.answer(path, completed() if path == "loop" else broken("loop#2[0].price"))
    first.conclude()

    assert list(again(first, "loop#2[0].price").ready) == ["loop"]


def test_what_leaves_another_handle_is_still_passed_on() -> None:
    nodes = [
        Node(id="start", kind="trigger"),
        Node(id="sift", kind="filter", config={"condition": "{{ item > 1 }}"}),
        plain("after"),
    ]
    ways = [Edge(source="start", target="sift"), Edge(source="sift", target="after", source_handle="rejected")]
    first = World(compile_plan(Definition(graph=Graph(nodes=nodes, edges=ways)), CATALOG)).start()
    first.answer("start", completed())
    first.answer("sift", completed("out", "rejected", output=[2], outputs={"rejected": [1]}))
    first.answer("after", failed())
    first.conclude()

    world = again(first, "after")

    assert entering(world.plan, world.state, world.state.steps["after"]) == [1]


def test_a_deadline_counts_anew() -> None:
    first = World(plan_of(plain("a"), plain("b"))).start()
    due = (EPOCH + timedelta(seconds=62)).isoformat()
    first.answer("start", completed(deadline=due))
    first.answer("a", completed())
    first.answer("b", failed())
    first.conclude()
    later = EPOCH + timedelta(days=1)

    payload = seed(first.plan, first.state, first.log, source="execution_1", path="b", at=later)

    (start, _) = as_list(payload["steps"])
    assert as_object(start)["deadline"] == (later + timedelta(seconds=60)).isoformat()


def test_a_step_that_had_cancelled_what_runs_again_cancels_it_no_more() -> None:
    nodes = [
        Node(id="start", kind="trigger"),
        plain("hold"),
        Node(id="stop", kind="cancel", config={"nodes": ["hold"]}),
    ]
    ways = [Edge(source="start", target="hold"), Edge(source="start", target="stop")]
    first = World(compile_plan(Definition(graph=Graph(nodes=nodes, edges=ways)), CATALOG)).start()
    first.answer("start", completed())
    first.answer("stop", completed(cancels=["hold"]))
    first.conclude()

    assert list(again(first, "hold").ready) == ["hold"]
    assert sorted(again(first, "stop").ready) == ["hold", "stop"]


# For every loop and every way it went


def play(data: st.DataObject, world: World, *, fails: bool) -> set[str]:
    """Run to the end in any order, with any outcome or none that fails; the paths that ran."""
    ran: set[str] = set()
    handling = data.draw(st.sampled_from(["stop", "continue"]))
    while world.ready:
        path = data.draw(st.sampled_from(sorted(world.ready)))
        command = world.ready[path]
        if isinstance(command, ResumeStep):
            cause = command.cause
            inside = cause.path if isinstance(cause, BodyFailed) else None
            world.answer(path, broken(inside) if inside else completed(output=path))
            continue
        ran.add(path)
        if path.endswith(("loop", "inner")):
            count = data.draw(st.integers(1, 3))
            concurrency = data.draw(st.integers(1, 3))
            world.answer(path, going(*range(count), concurrency=concurrency, errorHandling=handling))
        elif fails and data.draw(st.integers(0, 4)) == 0:
            world.answer(path, failed())
        else:
            world.answer(path, completed(output=path, variables={"last": path}))
    return ran


def nested() -> Plan:
    """A loop of a step, a loop, and a step, between two steps."""
    price: JSON = {"id": "price", "kind": "set", "config": {"values": {}}}
    inner: JSON = {"id": "inner", "kind": "loop", "config": {"body": {"nodes": [price], "edges": []}}}
    steps: list[JSON] = [{"id": name, "kind": "set", "config": {"values": {}}} for name in ("head", "tail")]
    ways: list[JSON] = [{"source": "head", "target": "inner"}, {"source": "inner", "target": "tail"}]
    body: JSON = {"nodes": [*steps, inner], "edges": ways}
    return plan_of(plain("before"), Node(id="loop", kind="loop", config={"body": body}), plain("after"))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_from_any_step_in_any_loop_it_runs_again_keeps_the_rest_and_ends(data: st.DataObject) -> None:
    first = World(nested()).start()
    play(data, first, fails=True)
    first.conclude()
    path = data.draw(st.sampled_from(retryable_paths(fold(first.plan, first.log, keeps=True))))
    world = again(first, path)
    entries = [as_object(entry) for entry in as_list(world.log[1].payload["steps"])]
    kept = {str(entry["path"]) for entry in entries if "path" in entry}
    resumed = {container for container in kept if container in world.state.open}

    ran = play(data, world, fails=False)

    assert path in ran or any(path.startswith(f"{container}[") for container in ran)
    assert not ran & (kept - resumed)
    assert world.finish is not None
    assert not world.state.open
