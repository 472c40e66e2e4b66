"""AES-256-GCM, HKDF and X25519, short and slow, for reader.py. Not for anything that guards secrets."""

import hashlib
import hmac


def _sbox():
    box, p, q = [0] * 256, 1, 1
    while True:
        p = (p ^ (p << 1) ^ (0x11B if p & 0x80 else 0)) & 0xFF
        q ^= q << 1
        q ^= q << 2
        q ^= q << 4
        q = (q ^ (0x09 if q & 0x80 else 0)) & 0xFF
        turned = [((q << n) | (q >> (8 - n))) & 0xFF for n in range(5)]
        box[p] = turned[0] ^ turned[1] ^ turned[2] ^ turned[3] ^ turned[4] ^ 0x63
        if p == 1:
            box[0] = 0x63
            return box


SBOX = _sbox()
DOUBLE = [((x << 1) ^ (0x1B if x & 0x80 else 0)) & 0xFF for x in range(256)]


def expand(key):
    """The 15 round keys of AES-256 (FIPS 197, 5.2)."""
    words = [list(key[i : i + 4]) for i in range(0, 32, 4)]
    constant = 1
    for i in range(8, 60):
        word = list(words[i - 1])
        if i % 8 == 0:
            word = [SBOX[b] for b in word[1:] + word[:1]]
            word[0] ^= constant
            constant = DOUBLE[constant]
        elif i % 8 == 4:
            word = [SBOX[b] for b in word]
        words.append([a ^ b for a, b in zip(words[i - 8], word)])
    return [sum(words[i : i + 4], []) for i in range(0, 60, 4)]


def encrypt_block(round_keys, block):
    state = [a ^ b for a, b in zip(block, round_keys[0])]
    for number in range(1, 15):
        state = [SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if number < 14:
            mixed = []
            for c in range(0, 16, 4):
                a, b, d, e = state[c : c + 4]
                every = a ^ b ^ d ^ e
                mixed += [
                    a ^ every ^ DOUBLE[a ^ b],
                    b ^ every ^ DOUBLE[b ^ d],
                    d ^ every ^ DOUBLE[d ^ e],
                    e ^ every ^ DOUBLE[e ^ a],
                ]
            state = mixed
        state = [a ^ b for a, b in zip(state, round_keys[number])]
    return bytes(state)


def _times(x, y):
    """A product in the field of GCM (NIST SP 800-38D, 6.3)."""
    product = 0
    for bit in range(127, -1, -1):
        if (x >> bit) & 1:
            product ^= y
        y = (y >> 1) ^ (0xE1 << 120 if y & 1 else 0)
    return product


def _ghash(h, data):
    value = 0
    for i in range(0, len(data), 16):
        value = _times(value ^ int.from_bytes(data[i : i + 16].ljust(16, b"\0"), "big"), h)
    return value


def _filled(data):
    return data + bytes(-len(data) % 16)


def open_gcm(key, nonce, sealed, additional):
    """The plain text of `sealed` (ciphertext and 16 bytes of tag); ValueError where the tag is wrong."""
    if len(key) != 32 or len(nonce) != 12 or len(sealed) < 16:
        raise ValueError("wrong lengths")
    keys, text, tag = expand(key), sealed[:-16], sealed[-16:]
    h = int.from_bytes(encrypt_block(keys, bytes(16)), "big")
    lengths = (8 * len(additional)).to_bytes(8, "big") + (8 * len(text)).to_bytes(8, "big")
    value = _ghash(h, _filled(additional) + _filled(text) + lengths)
    mask = int.from_bytes(encrypt_block(keys, nonce + b"\0\0\0\1"), "big")
    if not hmac.compare_digest((value ^ mask).to_bytes(16, "big"), tag):
        raise ValueError("the tag is wrong")
    plain = b""
    for i in range(0, len(text), 16):
        stream = encrypt_block(keys, nonce + (2 + i // 16).to_bytes(4, "big"))
        plain += bytes(a ^ b for a, b in zip(text[i : i + 16], stream))
    return plain


def hmac_sha256(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def hkdf_sha256(key, info, length=32, salt=bytes(32)):
    """RFC 5869."""
    extracted, block, out = hmac_sha256(salt, key), b"", b""
    while len(out) < length:
        block = hmac_sha256(extracted, block + info + bytes([len(out) // 32 + 1]))
        out += block
    return out[:length]


def x25519(scalar, point):
    """RFC 7748, 5."""
    p = 2**255 - 19
    k = int.from_bytes(scalar, "little") & ~7 & (2**255 - 1) | 2**254
    u = int.from_bytes(point, "little") & (2**255 - 1)
    x2, z2, x3, z3, swap = 1, 0, u, 1, 0
    for t in range(254, -1, -1):
        bit = (k >> t) & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % p, b * b % p, d * a % p, c * b % p
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % p, u * (da - cb) ** 2 % p
        x2, z2 = aa * bb % p, e * (aa + 121665 * e) % p
    if swap:
        x2, z2 = x3, z3
    product = x2 * pow(z2, p - 2, p) % p
    if product == 0:
        raise ValueError("the result is zero")
    return product.to_bytes(32, "little")


X25519_BASE = (9).to_bytes(32, "little")


def self_test():
    """One known answer for each: FIPS 197 C.3, GCM test cases 13 and 16, RFC 5869 A.1, RFC 7748 5.2."""
    plain = bytes.fromhex("00112233445566778899aabbccddeeff")
    assert encrypt_block(expand(bytes(range(32))), plain).hex() == "8ea2b7ca516745bfeafc49904b496089"
    assert open_gcm(bytes(32), bytes(12), bytes.fromhex("530f8afbc74536b9a963b4f1c4cb738b"), b"") == b""
    opened = open_gcm(
        bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2),
        bytes.fromhex("cafebabefacedbaddecaf888"),
        bytes.fromhex(
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
            "c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b"
        ),
        bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
    )
    assert opened.hex().startswith("d9313225f88406e5a55909c5aff5269a") and len(opened) == 60
    okm = hkdf_sha256(bytes([11]) * 22, bytes(range(0xF0, 0xFA)), 42, bytes(range(13)))
    assert okm.hex().startswith("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208")
    product = x25519(
        bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"),
        bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"),
    )
    assert product.hex() == "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"


if __name__ == "__main__":
    self_test()
    print("ok")
