"""A language model of random weights in the GGUF format: noise, the same for a seed.

Two layers of the llama architecture over a vocabulary of bytes, under 1 MB. A server that enforces
a schema makes of its noise JSON of that schema, so the whole protocol is exercised for real.
"""

import struct

import numpy as np

EMBED, HEADS, LAYERS, FORWARD, CONTEXT = 32, 2, 2, 64, 32768
ALIGN = 32

TEMPLATE = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"

_TYPES = {"u32": 4, "i32": 5, "f32": 6, "bool": 7, "str": 8, "arr": 9}


def _text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def _value(kind, value):
    if kind == "str":
        return _text(value)
    return struct.pack({"u32": "<I", "i32": "<i", "f32": "<f", "bool": "<?"}[kind], value)


def _entry(name, kind, value):
    return _text(name) + struct.pack("<I", _TYPES[kind]) + _value(kind, value)


def _array(name, kind, values):
    head = _text(name) + struct.pack("<IIQ", _TYPES["arr"], _TYPES[kind], len(values))
    return head + b"".join(_value(kind, value) for value in values)


def vocabulary():
    """Unknown, begin, end, a space, and every byte: text, score, type of each token."""
    tokens = [("<unk>", 0.0, 2), ("<s>", 0.0, 3), ("</s>", 0.0, 3), ("\u2581", 0.0, 1)]
    return tokens + [(f"<0x{byte:02X}>", 0.0, 6) for byte in range(256)]


def tensors(seed):
    """The weights by name, each with its shape as GGUF counts it (the fastest axis first)."""
    draw = np.random.default_rng(seed)
    words = len(vocabulary())

    def noise(*shape):
        return draw.normal(0, 0.3, shape).astype("<f4")

    made = {"token_embd.weight": noise(words, EMBED)}
    for layer in range(LAYERS):
        at = f"blk.{layer}."
        made[at + "attn_norm.weight"] = np.ones(EMBED, "<f4")
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            made[f"{at}{name}.weight"] = noise(EMBED, EMBED)
        made[at + "ffn_norm.weight"] = np.ones(EMBED, "<f4")
        made[at + "ffn_gate.weight"] = noise(FORWARD, EMBED)
        made[at + "ffn_up.weight"] = noise(FORWARD, EMBED)
        made[at + "ffn_down.weight"] = noise(EMBED, FORWARD)
    made["output_norm.weight"] = np.ones(EMBED, "<f4")
    made["output.weight"] = noise(words, EMBED)
    return made


def tiny_gguf(seed=0):
    """The bytes of the file; the same for a seed."""
    words = vocabulary()
    entries = [
        _entry("general.architecture", "str", "llama"),
        _entry("general.name", "str", "noise"),
        _entry("general.file_type", "u32", 0),
        _entry("llama.context_length", "u32", CONTEXT),
        _entry("llama.embedding_length", "u32", EMBED),
        _entry("llama.block_count", "u32", LAYERS),
        _entry("llama.feed_forward_length", "u32", FORWARD),
        _entry("llama.attention.head_count", "u32", HEADS),
        _entry("llama.attention.head_count_kv", "u32", HEADS),
        _entry("llama.attention.layer_norm_rms_epsilon", "f32", 1e-5),
        _entry("llama.rope.dimension_count", "u32", EMBED // HEADS),
        _entry("llama.vocab_size", "u32", len(words)),
        _entry("tokenizer.ggml.model", "str", "llama"),
        _array("tokenizer.ggml.tokens", "str", [word for word, _, _ in words]),
        _array("tokenizer.ggml.scores", "f32", [score for _, score, _ in words]),
        _array("tokenizer.ggml.token_type", "i32", [kind for _, _, kind in words]),
        _entry("tokenizer.ggml.unknown_token_id", "u32", 0),
        _entry("tokenizer.ggml.bos_token_id", "u32", 1),
        _entry("tokenizer.ggml.eos_token_id", "u32", 2),
        _entry("tokenizer.ggml.add_space_prefix", "bool", False),
        _entry("tokenizer.chat_template", "str", TEMPLATE),
    ]
    infos, data = [], b""
    for name, weights in tensors(seed).items():
        shape = weights.shape[::-1]
        info = _text(name) + struct.pack("<I", len(shape))
        info += b"".join(struct.pack("<Q", size) for size in shape)
        infos.append(info + struct.pack("<IQ", 0, len(data)))
        data += weights.tobytes()
        data += b"\0" * (-len(data) % ALIGN)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(infos), len(entries))
    head += b"".join(entries) + b"".join(infos)
    return head + b"\0" * (-len(head) % ALIGN) + data
