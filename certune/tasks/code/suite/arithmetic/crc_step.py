"""One byte of a CRC-8 (polynomial 0x07), bit by bit, against its definition by recursion."""

from certune.contracts import decreases, ensure, invariant, require, spec, u8


@spec
def shifted(crc: u8) -> u8:
    return ((crc & 127) << 1) ^ 7 if crc & 128 != 0 else (crc & 127) << 1


@spec
@require(lambda bits: 0 <= bits)
def divided(crc: u8, bits: int) -> u8:
    decreases(bits)
    return crc if bits == 0 else shifted(divided(crc, bits - 1))


@ensure(lambda crc, byte, result: result == divided(crc ^ byte, 8))
def crc_step(crc: u8, byte: u8) -> u8:
    value = crc ^ byte
    for bit in range(8):
        invariant(value == divided(crc ^ byte, bit))
        if value & 128 != 0:
            value = ((value & 127) << 1) ^ 7
        else:
            value = (value & 127) << 1
    return value
