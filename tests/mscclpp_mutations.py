"""Random damage to execution plans, for comparing the verifier with the interpreter."""

from __future__ import annotations

import copy
import json
import random

SAME = {
    "signal": ["rlxsignal", "wait"],
    "wait": ["rlxwait", "signal"],
    "rlxsignal": ["signal", "rlxwait"],
    "rlxwait": ["wait", "rlxsignal"],
    "copy": ["re", "cpkt", "upkt"],
    "re": ["copy"],
    "put": ["get", "ppkt", "pws"],
    "pws": ["put"],
    "get": ["put"],
    "ppkt": ["put", "rppkt"],
    "upkt": ["copy", "cpkt"],
    "cpkt": ["copy", "upkt"],
    "rppkt": ["ppkt"],
    "respkt": ["repkt", "recspkt", "res", "rres"],
    "rre": ["rres", "re"],
    "rres": ["rre", "res"],
    "res": ["rres", "re"],
    "glres": ["gstore"],
    "sem_acquire": ["sem_release"],
    "sem_release": ["sem_acquire"],
    "nop": ["barrier"],
}


def _lists(plan):
    """Every list of operations, those inside pipelines included."""
    out = []
    for gpu in plan["gpus"]:
        for tb in gpu["threadblocks"]:
            out.append(tb["ops"])
            out += [op["ops"] for op in tb["ops"] if op["name"] == "pipeline"]
    return [ops for ops in out if ops]


def _operand(rnd, op):
    return rnd.choice(op["src_buff"] + op["dst_buff"])


def _drop(rnd, ops):
    kinds = sorted({op["name"] for op in ops if op["name"] != "pipeline"})
    if kinds:
        kind = rnd.choice(kinds)
        ops.pop(rnd.choice([k for k, op in enumerate(ops) if op["name"] == kind]))


def _swap(rnd, ops):
    if len(ops) > 1:
        k = rnd.randrange(len(ops) - 1)
        gap = rnd.choice([1, 1, 1, 2, 3])
        if k + gap < len(ops):
            ops[k], ops[k + gap] = ops[k + gap], ops[k]


def _twice(rnd, ops):
    k = rnd.randrange(len(ops))
    if ops[k]["name"] != "pipeline":
        ops.insert(rnd.randrange(len(ops) + 1), copy.deepcopy(ops[k]))


def _rename(rnd, ops):
    op = rnd.choice(ops)
    if op["name"] in SAME:
        op["name"] = rnd.choice(SAME[op["name"]])
        if op["name"] == "barrier":
            op["barrier_id"], op["num_threadblocks"] = 0, rnd.choice([1, 2])


def _data(ops):
    return [op for op in ops if "src_buff" in op]


def _index(rnd, ops):
    if _data(ops):
        operand = _operand(rnd, rnd.choice(_data(ops)))
        operand["index"] = max(0, operand["index"] + rnd.choice([-2, -1, 1, 2]))


def _size(rnd, ops):
    if _data(ops):
        op = rnd.choice(_data(ops))
        by = rnd.choice([-1, 1])
        chosen = op["src_buff"] + op["dst_buff"]
        for operand in chosen if rnd.random() < 0.7 else [rnd.choice(chosen)]:
            operand["size"] = max(1, operand["size"] + by)


def _buffer(rnd, ops):
    if _data(ops):
        operand = _operand(rnd, rnd.choice(_data(ops)))
        for key in ("type", "buffer_id", "switch_channel_id"):
            if key in operand:
                operand[key] = rnd.choice("ios") if key == "type" else rnd.randrange(3)


def _exchange(rnd, ops):
    if _data(ops):
        op = rnd.choice(_data(ops))
        op["src_buff"][0], op["dst_buff"][0] = op["dst_buff"][0], op["src_buff"][0]


def _lose(rnd, ops):
    if _data(ops):
        op = rnd.choice(_data(ops))
        side = op[rnd.choice(["src_buff", "dst_buff"])]
        if len(side) > 1:
            side.pop(rnd.randrange(len(side)))


def _channel(rnd, ops):
    chosen = [op for op in ops if op.get("channel_ids")]
    if chosen:
        op = rnd.choice(chosen)
        k = rnd.randrange(len(op["channel_ids"]))
        if rnd.random() < 0.3 and len(op["channel_ids"]) > 1:
            op["channel_ids"].pop(k)
        else:
            op["channel_ids"][k] = rnd.randrange(4)


def _group(rnd, ops):
    chosen = [op for op in ops if "tbg_info" in op]
    if chosen:
        op = rnd.choice(chosen)
        if rnd.random() < 0.4:
            del op["tbg_info"]
        else:
            op["tbg_info"]["tb_id"] = 1 - op["tbg_info"]["tb_id"]


def _semaphore(rnd, ops):
    chosen = [op for op in ops if "semaphore_ids" in op]
    if chosen:
        rnd.choice(chosen)["semaphore_ids"][0] = rnd.randrange(3)


IN_OPERATIONS = [
    _drop,
    _drop,
    _drop,
    _swap,
    _swap,
    _swap,
    _twice,
    _rename,
    _rename,
    _index,
    _index,
    _size,
    _buffer,
    _exchange,
    _lose,
    _channel,
    _group,
    _semaphore,
]


def _whole(rnd, plan):
    gpu = rnd.choice(plan["gpus"])
    what = rnd.randrange(9)
    if what == 0 and gpu["remote_buffers"]:
        rnd.choice(gpu["remote_buffers"])["rank"] = rnd.randrange(len(plan["gpus"]))
    elif what == 1 and gpu["remote_buffers"]:
        rnd.choice(gpu["remote_buffers"])["type"] = rnd.choice("ios")
    elif what == 2:
        peers = [c for c in gpu["channels"] if "connected_to" in c]
        if peers:
            listed = rnd.choice(peers)["connected_to"]
            a, b = rnd.randrange(len(listed)), rnd.randrange(len(listed))
            listed[a], listed[b] = listed[b], listed[a]
    elif what == 3:
        peers = [c for c in gpu["channels"] if "connected_to" in c]
        if peers:
            listed = rnd.choice(peers)["connected_to"]
            listed[rnd.randrange(len(listed))] = rnd.randrange(len(plan["gpus"]))
    elif what == 4:
        plan["use_double_scratch_buffer"] = not plan["use_double_scratch_buffer"]
    elif what == 5:
        plan["inplace"] = not plan["inplace"]
    elif what == 6:
        a, b = rnd.choice(gpu["threadblocks"]), rnd.choice(gpu["threadblocks"])
        a["ops"], b["ops"] = b["ops"], a["ops"]
    elif what == 7 and gpu.get("semaphores"):
        rnd.choice(gpu["semaphores"])["init_value"] = rnd.choice([0, 1, 31, 33])
    else:
        plan["protocol"] = "LL" if plan["protocol"] == "Simple" else "Simple"


def mutate(data: bytes, seed: int) -> bytes:
    """A plan with one or two pieces of damage, never the plan itself."""
    rnd = random.Random(seed)
    original = json.loads(data)
    plan = copy.deepcopy(original)
    while plan == original:
        for _ in range(rnd.choice([1, 1, 1, 2])):
            if rnd.random() < 0.12:
                _whole(rnd, plan)
            else:
                rnd.choice(IN_OPERATIONS)(rnd, rnd.choice(_lists(plan)))
    return json.dumps(plan).encode()
