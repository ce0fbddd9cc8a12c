"""An independent interpreter of MSCCL++ execution plans, written from docs/formats/mscclpp-plan.md.

It shares no code and no method with the package: bytes and words instead of chunks, every thread
on its own in a random order, several launches one after the other with callers that overwrite
their buffers in between, and races found by who has heard of which access (sets of accesses as
big integers) instead of paths in a graph.

Words are 8 bytes: a payload word becomes a packet of two words. Data threads are numbered from
100 so that none is also one of the threads that handle channels, and each has one element. What
hangs only where every thread has many elements is found by a run with one data thread.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict, deque

ALIGN = 16
FIRST = 100
SWITCHED = 1_000_000  # elements of a switch have another size, and so other threads
PACKETS = {"cpkt", "upkt", "ppkt", "rppkt", "repkt", "recpkt", "respkt", "recspkt"}
UNDEFINED = "undefined"


class Outside(Exception):
    pass


class Know:
    """What a thread has heard of: `s` visible to it, `p` visible to all, `a` happened."""

    __slots__ = ("a", "p", "s")

    def __init__(self, s=0, p=0, a=0):
        self.s, self.p, self.a = s, p, a

    def copy(self):
        return Know(self.s, self.p, self.a)

    def join(self, other, strong=True):
        if strong:
            self.s |= other.s
        self.p |= other.p
        self.a |= other.a


class Thread:
    def __init__(self, block, number):
        self.block, self.number = block, number
        self.know = Know()
        self.reads = 0  # own reads since the threads last met
        self.at = 0
        self.step = 0
        self.ticket = None
        self.parked = False


class Block:
    def __init__(self, machine, rank, number, tb):
        self.machine, self.rank, self.number, self.tb = machine, rank, number, tb
        self.ops = machine.flatten(tb["ops"])
        self.launch = 0
        ids = set()
        for op, _ in self.ops:
            ids |= machine.threads_of(rank, op)
        self.threads = {n: Thread(self, n) for n in sorted(ids | {FIRST})}
        self.running = False
        self.waiting_barrier = False

    def lists(self, kind):
        out = []
        for c in self.tb.get("channels", []):
            if c["channel_type"] == kind:
                out += c["channel_ids"]
        return out

    def remote(self, kind, number):
        ids = []
        for c in self.tb.get("remote_buffer_refs", []) or []:
            if c["access_channel_type"] == kind:
                ids += c["remote_buffer_ids"]
        return self.machine.plan["gpus"][self.rank]["remote_buffers"][ids[number]]


class Machine:
    def __init__(self, plan, units=2, launches=3, seed=0, iterations=None, few=False):
        self.plan, self.launches, self.few = plan, launches, few
        self.random = random.Random(seed)
        self.gpus = plan["gpus"]
        self.n = len(self.gpus)
        self.double = plan.get("use_double_scratch_buffer", False)
        self.ll = plan["protocol"] == "LL"
        self.reuse = plan.get("reuse_resources", False)
        self.unit = None
        self.slots = None
        if iterations:
            self.unit = ALIGN
            units = iterations
            real = {
                op["iter_context"]["unit_size"]
                for g in self.gpus
                for t in g["threadblocks"]
                for op in t["ops"]
                if op["name"] == "pipeline"
            }.pop()
            scratch = max(g["scratch_chunks"] for g in self.gpus)
            if self.reuse and scratch:
                self.slots = 2**26 // (2 if self.double else 1) // scratch // real
        self.chunk = units * ALIGN
        g = self.gpus[0]
        self.inputs, self.outputs = g["input_chunks"] * self.chunk, g["output_chunks"] * self.chunk
        self.memory = {}
        self.history = defaultdict(list)
        self.events = []
        self.found = defaultdict(list)
        self.counts = defaultdict(list)
        self.tickets = defaultdict(int)
        self.given = Counter()
        self.initial = {}
        for r, gpu in enumerate(self.gpus):
            for k, s in enumerate(gpu.get("semaphores", [])):
                self.initial["sem", r, k] = s["init_value"]
        self.pair()
        self.fifos = defaultdict(deque)
        self.channel_know = defaultdict(Know)
        self.arrived = defaultdict(list)
        self.blocks = [
            [Block(self, r, k, tb) for k, tb in enumerate(gpu["threadblocks"])]
            for r, gpu in enumerate(self.gpus)
        ]
        self.rank_launch = [0] * self.n
        self.rank_know = [Know() for _ in range(self.n)]
        self.callers = [[] for _ in range(self.n)]

    # -- layout --------------------------------------------------------------------------------

    def flatten(self, ops):
        out = []
        for op in ops:
            if op["name"] == "pipeline":
                chunks = op["iter_context"]["num_chunks"]
                for i in range(-(-chunks * self.chunk // self.unit)):
                    out += [(inner, i * self.unit) for inner in op["ops"]]
            else:
                out.append((op, None))
        return out

    def threads_of(self, rank, op):
        ids = set(range(len(op.get("channel_ids", []) or [])))
        ids |= set(range(len(op.get("semaphore_ids", []) or [])))
        if op["name"] in ("put", "pws") and op.get("channel_type") == "port":
            return ids | set(range(len(op["dst_buff"])))
        if "src_buff" in op:
            size = max(x["size"] for x in op["src_buff"] + op["dst_buff"]) * self.chunk
            step = 8 if op["name"] in PACKETS else 16
            first = SWITCHED if op["name"] in ("gstore", "glres") else FIRST
            ids |= {first + k for k in range(1 if self.few else size // step)}
        return ids

    def pair(self):
        self.inbound = {}
        seen = {}
        for r, gpu in enumerate(self.gpus):
            lists = {"memory": [], "port": []}
            for c in gpu["channels"]:
                if c["channel_type"] != "switch":
                    lists[c["channel_type"]] += c["connected_to"]
            for kind, peers in lists.items():
                times = Counter()
                for index, q in enumerate(peers):
                    seen[kind, r, q, times[q]] = index
                    times[q] += 1
        for (kind, r, q, k), index in seen.items():
            self.inbound[kind, r, index] = (kind, q, seen.get((kind, q, r, k), ("none", r, index)))
        self.peer = {(kind, r, index): q for (kind, r, q, _), index in seen.items()}

    def base(self, rank, letter):
        """Allocation of a buffer and the caller's pointer into it."""
        if letter == "s":
            return "s", 0
        if not self.plan["inplace"]:
            return letter, 0
        if self.plan["collective"] == "allgather":
            return "io", rank * self.inputs if letter == "i" else 0
        if self.plan["collective"] == "reducescatter":
            return "io", rank * self.outputs if letter == "o" else 0
        return "io", 0

    def length(self, rank, name):
        if name == "s":
            size = self.gpus[rank]["scratch_chunks"] * self.chunk * (2 if self.ll else 1)
            if self.slots:
                size = self.gpus[rank]["scratch_chunks"] * min(self.chunk, self.slots * self.unit)
            return size * (2 if self.double else 1)
        if name == "io":
            return max(self.inputs, self.outputs)
        return self.inputs if name == "i" else self.outputs

    def half(self, rank, launch):
        return self.length(rank, "s") // 2 if self.double and launch % 2 else 0

    @staticmethod
    def split(size, op):
        info = op.get("tbg_info")
        if not info:
            return 0, size
        total, t, members = size // ALIGN, info["tb_id"], info["tbg_size"]
        low, rest = divmod(total, members)

        def off(i):
            return (i * low + (i % total if i % total < rest else rest)) * ALIGN

        return off(t), off(t + 1) - off(t)

    def offset(self, operand, op, letter, shift, wraps=None):
        """Byte offset in a buffer of an operand, and its own size.

        A pipeline starts again in scratch that is shorter than a chunk, unless `wraps` says else.
        """
        start, size = self.split(operand["size"] * self.chunk, op)
        offset = operand["index"] * self.chunk + start
        if shift is None:
            return offset, size
        room = self.slots * self.unit if self.slots else self.chunk
        if letter == "s" and room < self.chunk:
            step = shift if wraps is False else shift % room
            return operand["index"] * room + start + step, size
        if wraps and room < self.chunk:
            raise NotImplementedError("starts again outside scratch")
        return offset + shift, size

    def words(self, rank, name, start, size, half=None):
        """Words of a range; `half` is where the half of scratch in use begins."""
        low, high = 0, self.length(rank, name)
        if name == "s" and self.double:
            low, high = half or 0, (half or 0) + high // 2
        if start < low or start + size > high:
            raise Outside(f"{name} of rank {rank}: {start}+{size} > {high}")
        return [(rank, name, w) for w in range(start // 8, (start + size) // 8)]

    # -- accesses ------------------------------------------------------------------------------

    def event(self, rank, launch, caller=False, thread=None, op=None):
        self.events.append((rank, launch, caller, thread, op))
        return len(self.events) - 1

    def touch(self, word, write, know, extra, meta, thread=None, packet=False):
        """Record an access and compare it with all earlier ones of the word."""
        bit = self.event(*meta, thread=thread)
        for other, was_write, was_packet in self.history[word]:
            if not (write or was_write):
                continue
            rank, launch, caller, who, _ = self.events[other]
            if thread is not None and who == thread and launch == meta[1]:
                continue
            if packet and was_packet and was_write and not write and not caller:
                continue  # read when its flag was there
            heard = know.s | know.p if was_write else know.a | extra
            if not heard >> other & 1:
                self.race(word, (rank, launch, caller), meta)
        if packet and not write:
            self.several(word, know, meta, thread)
        self.history[word].append((bit, write, packet))
        return bit

    def several(self, word, know, meta, thread):
        """A packet that was written again may still be met as it was before."""
        here = [
            other
            for other, write, packet in self.history[word]
            if write and packet and self.events[other][1] == meta[1]
        ]
        seen = [o for o in here if (know.s | know.p) >> o & 1 or self.events[o][3] == thread]
        if len(here) - len(seen) + bool(seen) > 1:
            self.race(word, self.events[here[-1]][:3], meta)

    def race(self, word, x, y):
        if x[2] or (len(y) > 2 and y[2]):
            caller, other = (x, y) if x[2] else (y, x)
            # caller k comes before launch k
            name = "entry-safe" if caller[1] <= other[1] else "exit-safe"
        elif word[1] != "s" and x[1] != y[1]:
            return  # a caller's access lies between them and is found itself
        elif x[1] == y[1]:
            name = "no-race"
            if x[1]:
                return
        else:
            name = "scratch-reuse"
        self.found[name].append((word, x, y))

    # -- operands ------------------------------------------------------------------------------

    def local(self, block, operand, op, size, shift, packet, wraps=None):
        letter = "s" if packet == "read" else operand["type"]
        if "type" not in operand:
            raise KeyError("type")
        name, pointer = self.base(block.rank, letter)
        offset, _ = self.offset(operand, op, letter, shift, wraps)
        half = self.half(block.rank, block.launch) if letter == "s" else 0
        if packet:
            start = pointer + half + 2 * offset
            return self.words(block.rank, name, start, 2 * size, half), True
        return self.words(block.rank, name, pointer + half + offset, size, half), False

    def far(self, block, operand, op, size, shift, packet):
        buffer = block.remote(op.get("channel_type", "memory"), operand["buffer_id"])
        q, letter = buffer["rank"], buffer["type"]
        name, pointer = self.base(block.rank, letter)  # the acting rank's own offset
        offset, _ = self.offset(operand, op, letter, shift)
        if packet:
            half = self.half(q, block.launch) if letter == "s" else 0
            if letter != "s" and self.double:
                raise NotImplementedError("a half of scratch that the peer has not")
            return self.words(q, name, half + 2 * (pointer + offset), 2 * size, half), True
        return self.words(q, name, pointer + offset, size), False

    def switched(self, block, operand, op, size, shift):
        groups = self.groups(block.rank)
        own = block.lists("switch")[operand["switch_channel_id"]]
        ranks = groups[own][1]
        k = sum(g[1] == ranks for g in groups[:own])
        out = []
        for q in ranks:
            there = [g for g in self.groups(q) if g[1] == ranks][k][0]
            name, pointer = self.base(block.rank, there)
            offset, _ = self.offset(operand, op, there, shift)
            out.append((self.words(q, name, pointer + offset, size), False))
        return out

    def groups(self, rank):
        out = []
        for c in self.gpus[rank]["channels"]:
            if c["channel_type"] == "switch":
                letter = c.get("buffer_type", c.get("buff"))
                out += [(letter, tuple(sorted(g["ranks"]))) for g in c["rank_groups"]]
        return out

    def moves(self, block, op, shift):
        """(sources, destinations) as lists of (words, packet), as the executor has them."""
        name, src, dst = op["name"], op["src_buff"], op["dst_buff"]
        unit = self.unit if shift is not None else None

        def take(operand):
            size = self.split(operand["size"] * self.chunk, op)[1]
            if size < 0:
                raise Outside("group")
            if shift is None:
                return size
            if shift > size:
                raise Outside("pipeline")
            return min(size - shift, unit)

        if len(dst) < (2 if name.startswith("rec") else 1) or not src:
            raise NotImplementedError("too few operands")
        near = lambda o, n, p=False: self.local(block, o, op, n, shift, p)  # noqa: E731
        away = lambda o, n, p=False: self.far(block, o, op, n, shift, p)  # noqa: E731
        if name in ("copy", "cpkt", "upkt"):
            n = take(src[0])
            target = near(dst[0], n, name == "cpkt" and "write")
            return [([near(src[0], n, name == "upkt" and "read")], [target])]
        if name in ("rre", "rres"):
            n = take(src[0])
            more = [away(o, n) for o in dst[1:]] if name == "rres" else []
            return [([near(src[0], n), *(away(o, n) for o in src[1:])], [near(dst[0], n), *more])]
        if name in ("re", "res"):
            n = take(src[0])
            parts = [near(src[0], n)]
            for k, o in enumerate(src[1:], 1):
                # handleReduceSend asks what it takes for the type of the k-th destination.
                other = dst[k] if k < len(dst) else {"type": "i"}
                wraps = other.get("type") == "s" or other.get("buffer_id") == 2
                parts.append(self.local(block, o, op, n, shift, False, wraps))
            more = [away(o, n) for o in dst[1:]] if name == "res" else []
            return [(parts, [near(dst[0], n), *more])]
        if name in ("repkt", "respkt", "recpkt", "recspkt"):
            n = take(src[0])
            out = [near(dst[0], n)]
            first = 1
            if name.startswith("rec"):
                out.append(near(dst[1], n, "write"))
                first = 2
            if "s" in name[2:4]:
                out += [away(o, n, True) for o in dst[first:]]
            return [([near(src[0], n)] + [near(o, n, "read") for o in src[1:]], out)]
        if name == "get":
            if len(dst) < len(src):
                raise NotImplementedError("too few operands")
            return [
                (
                    [away({**s, "index": d["index"]}, take(s))],
                    [near({**d, "index": s["index"]}, take(s))],
                )
                for s, d in zip(src, dst, strict=False)
            ]
        if name in ("put", "pws", "pwsf", "ppkt"):
            if len(src) < len(dst):
                raise NotImplementedError("too few operands")
            out = []
            for s, d in zip(src, dst, strict=False):
                n = take(s if name == "ppkt" else d)
                one = near({**s, "type": src[0]["type"]} if "type" in s else s, n)
                out.append(([one], [away(d, n, name == "ppkt")]))
            return out
        if name == "rppkt":
            n = take(src[0])
            return [([near(src[0], n, "read")], [away(d, n, True) for d in dst])]
        if name == "glres":
            n = take(src[0])
            return [
                (
                    self.switched(block, src[0], op, n, shift),
                    self.switched(block, dst[0], op, n, shift),
                )
            ]
        if name == "gstore":
            n = take(src[0])
            return [([near(src[0], n)], self.switched(block, dst[0], op, n, shift))]
        raise NotImplementedError(name)

    def port_move(self, block, op, slot, shift):
        s, d = op["src_buff"][slot], op["dst_buff"][slot]
        size = self.split(d["size"] * self.chunk, op)[1]
        if shift is not None:
            size = min(size - shift, self.unit)
        letter = s["type"]
        name, _ = self.base(block.rank, letter)
        offset, _ = self.offset(s, op, letter, shift)
        source = self.words(block.rank, name, offset, size)
        return source, self.far(block, d, op, size, shift, False)[0]

    # -- data ----------------------------------------------------------------------------------

    def load(self, word, launch, packet):
        value = self.memory.get(word)
        if value is None or value[0] != launch or value[1] == UNDEFINED:
            self.found["initialised"].append((word, launch))
            return None
        if (value[2] is not None) != packet:
            self.found["initialised"].append((word, launch))
            return None
        return value[1]

    @staticmethod
    def total(values):
        if any(v is None for v in values):
            return None
        out = Counter()
        for v in values:
            out.update(dict(v))
        return tuple(sorted(out.items()))

    def there(self, half, launch):
        value = self.memory.get(half)
        return value is not None and value[0] == launch and value[2] is not None

    def element(self, thread, op, sources, targets, words):
        """One element (payload word indices `words`) of a move by one thread; False to wait."""
        block = thread.block
        meta = (block.rank, block.launch, False)
        who = (block.rank, block.number, thread.number)
        for listed, packet in sources:
            if packet:
                for w in words:
                    if not all(self.there(h, block.launch) for h in listed[2 * w : 2 * w + 2]):
                        return False
        learnt, reads = Know(), 0
        values = {}
        for w in words:
            parts = []
            for listed, packet in sources:
                for half in listed[2 * w : 2 * w + 2] if packet else [listed[w]]:
                    if packet:
                        carried = self.memory[half][2]
                        learnt.join(carried, strong=False)
                    parts.append((half, packet))
            values[w] = parts
        thread.know.join(learnt, strong=False)
        sums = {}
        for w, parts in values.items():
            for word, packet in parts:
                bit = self.touch(word, False, thread.know, thread.reads | reads, meta, who, packet)
                reads |= 1 << bit
            unique = [(word, p) for word, p in parts if not p or word[2] % 2 == 0]
            sums[w] = self.total([self.load(word, block.launch, p) for word, p in unique])
        for w in words:
            for listed, packet in targets:
                carried = None
                if packet:
                    carried = Know(0, thread.know.p, thread.know.a | reads)
                for word in listed[2 * w : 2 * w + 2] if packet else [listed[w]]:
                    bit = self.touch(
                        word, True, thread.know, thread.reads | reads, meta, who, packet
                    )
                    thread.know.s |= 1 << bit
                    self.memory[word] = (block.launch, sums[w], carried)
        thread.reads |= reads
        return True

    def data(self, thread, op, shift):
        block = thread.block
        if op["name"] in ("put", "pws") and op.get("channel_type") == "port":
            if thread.number < len(op["dst_buff"]):
                source, target = self.port_move(block, op, thread.number, shift)
                index = block.lists("port")[op["channel_ids"][thread.number]]
                self.push(block, thread, index, (source, target))
                if op["name"] == "pws":
                    self.push(block, thread, index, None)
            return True
        per = 1 if op["name"] in PACKETS else 2
        todo = self.moves(block, op, shift)
        switched = op["name"] in ("gstore", "glres")
        if self.few and thread.number < FIRST:
            # In a long buffer the threads of channels have elements everywhere, too.
            return all(
                self.there(half, block.launch)
                for sources, _ in todo
                for listed, packet in sources
                for half in (listed if packet else ())
            )
        mine = thread.number - (SWITCHED if switched else FIRST)
        if mine < 0 or (thread.number >= SWITCHED) != switched:
            return True
        work = []
        for sources, targets in todo:
            listed, packet = sources[0]
            payload = len(listed) // (2 if packet else 1)
            elements = range(0, payload, per) if self.few else [mine * per]
            for first in elements:
                words = [w for w in range(first, first + per) if w < payload]
                if words:
                    work.append((sources, targets, words))
        while thread.step < len(work):
            if not self.element(thread, op, *work[thread.step]):
                return False
            thread.step += 1
        thread.step = 0
        return True

    # -- synchronisation -----------------------------------------------------------------------

    def push(self, block, thread, index, what):
        know = thread.know.copy()
        know.a |= thread.reads
        self.fifos[block.rank, index].append((know, what, block.launch))

    def proxy(self, key):
        know, what, launch = self.fifos[key].popleft()
        rank, index = key
        if what is None:
            message = know.copy()
            message.join(self.channel_know[key])
            self.counts[self.inbound["port", rank, index]].append((message, True))
            return
        source, target = what
        meta = (rank, launch, False)
        values = []
        reads = 0
        for word in source:
            reads |= 1 << self.touch(word, False, know, 0, meta)
            values.append(self.load(word, launch, False))
        done = Know(a=reads)
        for word, value in zip(target, values, strict=True):
            bit = self.touch(word, True, know, reads, meta)
            done.s |= 1 << bit
            done.a |= 1 << bit
            self.memory[word] = (launch, value, None)
        self.channel_know[key].join(done)

    def counter(self, block, op, number):
        if op["name"].startswith("sem"):
            return ("sem", block.rank, op["semaphore_ids"][number])
        kind = op["channel_type"]
        index = block.lists(kind)[op["channel_ids"][number]]
        if op["name"] in ("signal", "rlxsignal"):
            return self.inbound[kind, block.rank, index]
        return (kind, block.rank, index)

    def sync(self, thread, op):
        block, name = thread.block, op["name"]
        listed = op.get("semaphore_ids") or op.get("channel_ids") or []
        if thread.number >= len(listed):
            return True
        key = self.counter(block, op, thread.number)
        relaxed = name.startswith("rlx") and op.get("channel_type") != "port"
        if name in ("signal", "rlxsignal", "sem_release"):
            know = thread.know.copy()
            know.a |= thread.reads
            if op.get("channel_type") == "port":
                index = block.lists("port")[op["channel_ids"][thread.number]]
                self.push(block, thread, index, None)
            else:
                self.counts[key].append((know, not relaxed))
            return True
        if thread.ticket is None:
            self.tickets[key] += 1
            thread.ticket = self.tickets[key] - self.initial.get(key, 0)
        if len(self.counts[key]) < thread.ticket:
            return False
        for know, strong in self.counts[key][: max(thread.ticket, 0)]:
            thread.know.join(know, strong=strong and not relaxed)
        thread.ticket = None
        return True

    def meet(self, block):
        joined = Know()
        for t in block.threads.values():
            joined.join(t.know)
            joined.a |= t.reads
        for t in block.threads.values():
            t.know, t.reads, t.parked = joined.copy(), 0, False

    # -- running -------------------------------------------------------------------------------

    def call(self, rank):
        """The caller before launch k: takes its outputs and overwrites every buffer."""
        launch = self.rank_launch[rank]
        know = self.rank_know[rank]
        meta = (rank, launch, True)
        for name in ("io",) if self.plan["inplace"] else ("i", "o"):
            for w in range(self.length(rank, name) // 8):
                bit = self.touch((rank, name, w), True, know, 0, meta)
                know.s |= 1 << bit
                know.p |= 1 << bit
                know.a |= 1 << bit
                self.memory[rank, name, w] = (launch, UNDEFINED, None)
        name, pointer = self.base(rank, "i")
        for w in range(self.inputs // 8):
            self.memory[rank, name, pointer // 8 + w] = (launch, (((rank, w), 1),), None)

    def start(self, rank):
        self.call(rank)
        for block in self.blocks[rank]:
            block.launch = self.rank_launch[rank]
            block.running = True
            for t in block.threads.values():
                t.at, t.know, t.reads, t.parked = 0, self.rank_know[rank].copy(), 0, False

    def end(self, rank):
        know = self.rank_know[rank]
        for block in self.blocks[rank]:
            for t in block.threads.values():
                know.join(t.know)
                know.a |= t.reads
        know.p |= know.s
        self.rank_launch[rank] += 1

    def thread_step(self, thread):
        """Run one operation of a thread; whether it got on."""
        block = thread.block
        if thread.parked or not block.running or block.waiting_barrier:
            return False
        if thread.at == len(block.ops):
            return False
        op, shift = block.ops[thread.at]
        name = op["name"]
        if name in ("nop", "barrier"):
            thread.parked = True
            if all(t.parked and t.at == thread.at for t in block.threads.values()):
                self.meet(block)
                if name == "barrier" and op["num_threadblocks"] > 1:
                    key = (block.rank, op["barrier_id"])
                    self.arrived[key].append(block)
                    block.waiting_barrier = True
                    if len(self.arrived[key]) == op["num_threadblocks"]:
                        joined = Know()
                        for b in self.arrived[key]:
                            for t in b.threads.values():
                                joined.join(t.know)
                        for b in self.arrived.pop(key):
                            b.waiting_barrier = False
                            for t in b.threads.values():
                                t.know = joined.copy()
                                t.at += 1
                else:
                    for t in block.threads.values():
                        t.at += 1
            return True
        if name == "flush":
            done = True
        elif "src_buff" in op:
            done = self.data(thread, op, shift)
        else:
            done = self.sync(thread, op)
        if done:
            thread.at += 1
        return done

    def survey(self):
        """Look up the operands of every operation, reached or not."""
        for blocks in self.blocks:
            for block in blocks:
                for op, shift in block.ops:
                    if op["name"] in ("put", "pws") and op.get("channel_type") == "port":
                        for slot in range(len(op["dst_buff"])):
                            self.port_move(block, op, slot, shift)
                    elif "src_buff" in op:
                        self.moves(block, op, shift)

    def run(self):
        self.survey()
        for r in range(self.n):
            self.start(r)
        live = set(range(self.n))
        while True:
            progress = False
            order = [(r, b, t) for r in live for b in self.blocks[r] for t in b.threads.values()]
            self.random.shuffle(order)
            hurry = self.random.random()
            for _, _, thread in order:
                while self.thread_step(thread):
                    progress = True
                    if self.random.random() > hurry:
                        break
                keys = [k for k, q in self.fifos.items() if q]
                if keys and self.random.random() < 0.3:
                    self.proxy(self.random.choice(keys))
                    progress = True
            for r in sorted(live):
                if all(t.at == len(b.ops) for b in self.blocks[r] for t in b.threads.values()):
                    progress = True
                    self.end(r)
                    if self.rank_launch[r] < self.launches:
                        self.start(r)
                    else:
                        live.discard(r)
            if not progress:
                keys = [k for k, q in self.fifos.items() if q]
                if keys:
                    self.proxy(self.random.choice(keys))
                    continue
                break
        while any(self.fifos.values()):
            self.proxy(self.random.choice([k for k, q in self.fifos.items() if q]))
        for r in range(self.n):
            if r not in live:
                # whatever still goes on meets the caller's next use of the buffers
                self.call(r) if self.launches > 1 else None
        if live:
            self.found["no-deadlock"].append(sorted(live))
        return self

    def check(self):
        """The outputs of the last launch."""
        kind, last = self.plan["collective"], self.launches - 1
        words = self.outputs // 8
        if kind in ("allreduce", "alltoall"):
            words = max(self.inputs, self.outputs) // 8
        for r in range(self.n):
            name, pointer = self.base(r, "o")
            for w in range(words):
                if kind == "allreduce":
                    want = tuple(((q, w), 1) for q in range(self.n))
                elif kind == "reducescatter":
                    want = tuple(((q, r * words + w), 1) for q in range(self.n))
                elif kind == "allgather":
                    want = (((w // (self.inputs // 8), w % (self.inputs // 8)), 1),)
                else:
                    part = self.inputs // 8 // self.n
                    want = (((w // part, r * part + w % part), 1),)
                value = self.memory.get((r, name, pointer // 8 + w))
                if value is None or value[0] != last or value[2] is not None or value[1] != want:
                    self.found["postcondition"].append((r, w, value and value[1], want))
                    return


def _balance(plan, machine):
    given = Counter()
    for blocks in machine.blocks:
        for block in blocks:
            for op, _ in block.ops:
                listed = op.get("semaphore_ids") or op.get("channel_ids") or []
                if op["name"] == "pws" and op.get("channel_type") == "port":
                    listed = listed[: len(op["dst_buff"])]
                    for k in range(len(listed)):
                        index = block.lists("port")[listed[k]]
                        given[machine.inbound["port", block.rank, index]] += 1
                elif "src_buff" not in op and op["name"] != "flush":
                    for k in range(len(listed)):
                        up = op["name"] in ("signal", "rlxsignal", "sem_release")
                        given[machine.counter(block, op, k)] += 1 if up else -1
    return any(given.values())


def interpret(data, units=2, seeds=(0, 1), iterations=None, launches=3):
    """Names of the obligations that some run of the plan breaks."""
    plan = json.loads(data)
    broken = set()
    known = plan["collective"] in ("allreduce", "allgather", "reducescatter", "alltoall")
    for seed in seeds:
        try:
            once = Machine(plan, units, 1, seed, iterations).run()
        except Outside:
            return {"bounds"}
        found = {k for k, v in once.found.items() if v}
        if _balance(plan, once):
            found.add("repeatable")
        # In a long buffer every thread has elements everywhere and waits for all of them.
        few = Machine(plan, units, 1, seed, iterations, few=True).run()
        found |= {"no-deadlock"} & {k for k, v in few.found.items() if v}
        if "no-deadlock" in found:
            return broken | found
        if known:
            once.check()
            found |= {k for k, v in once.found.items() if v}
        if not plan["inplace"] and any(
            name == "i" and write and not once.events[bit][2]
            for (_, name, _), accesses in once.history.items()
            for bit, write, _ in accesses
        ):
            found.add("input-unchanged")
        broken |= found
        if "repeatable" not in found:
            many = Machine(plan, units, launches, seed, iterations).run()
            broken |= {
                k
                for k, v in many.found.items()
                if v and k in ("entry-safe", "exit-safe", "scratch-reuse", "no-race")
            }
            if many.found.get("no-deadlock") and "no-race" not in broken:
                # One launch by itself ends: a packet was overwritten before it was read.
                broken.add("scratch-reuse")
    return broken
