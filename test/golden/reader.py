"""Reads a vault of format 2, written from docs/storage-schema.md alone, with nothing but Python's library.

    python3 reader.py VAULT KEY_FILE [PIN_FILE]

Prints one JSON document. Verifies all that it reads: where something does not hold it says what on stderr and
exits with 1. It opens the vault read-only, and only one that nobody has open (it does not read vault.db-wal).
"""

import base64
import hashlib
import hmac
import json
import os
import sqlite3
import struct
import sys

from ciphers import X25519_BASE, hkdf_sha256, hmac_sha256, open_gcm, x25519


class Refused(Exception):
    pass


def check(holds, what):
    if not holds:
        raise Refused(what)


def same(a, b):
    return hmac.compare_digest(a, b)


def utf8(part):
    return part.encode() if isinstance(part, str) else bytes(part)


def lp(*parts):
    return b"".join(struct.pack(">I", len(utf8(part))) + utf8(part) for part in parts)


def base64url(text, what, length=None):
    check(isinstance(text, str), f"{what}: no text")
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise Refused(f"{what}: not base64url") from None
    check(base64.urlsafe_b64encode(data).rstrip(b"=").decode() == text, f"{what}: not the one spelling")
    check(length is None or len(data) == length, f"{what}: wrong length")
    return data


def derive(key, purpose, vault_id, *more):
    return hkdf_sha256(key, lp(f"keymux/2 {purpose}", vault_id, *more))


def gcm(key, nonce, sealed, additional, what):
    try:
        return open_gcm(key, nonce, sealed, additional)
    except ValueError as error:
        raise Refused(f"{what}: {error}") from None


def open_box(key, box, additional, what):
    check(len(box) >= 45 and box[0] == 1, f"{what}: no box of format 1")
    box_key = hmac_sha256(key, b"keymux/2 box" + box[1:17] + b"\x01")
    return gcm(box_key, box[17:29], box[29:], additional, what)


def unpad(plain, what):
    check(len(plain) >= 4, f"{what}: too short")
    length = struct.unpack_from(">I", plain)[0]
    check(4 + length <= len(plain), f"{what}: wrong length")
    check(not any(plain[4 + length :]), f"{what}: padding is not zeros")
    return plain[4 : 4 + length]


def unpad_metadata(plain, what):
    """Zeros up to a multiple of 128 bytes, beyond 1 KiB up to a power of two."""
    data, size = unpad(plain, what), len(plain)
    needed = len(data) + 4
    padded = -(-needed // 128) * 128 if needed <= 1024 else 1 << (needed - 1).bit_length()
    check(size == padded, f"{what}: padded to another size")
    return data


def unpad_secret(plain, what):
    """Zeros up to 128, 256, 512, … bytes."""
    data = unpad(plain, what)
    check(len(plain) == max(128, 1 << (len(data) + 3).bit_length()), f"{what}: padded to another size")
    return data


def from_json(data, what):
    try:
        return json.loads(data.decode())
    except ValueError:
        raise Refused(f"{what}: not JSON") from None


def only(fields, known, what):
    """The page is to know every field."""
    check(set(fields) <= set(known), f"{what}: unknown fields {sorted(set(fields) - set(known))}")


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


# Key file and header


def read_key_file(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    check(text.startswith("keymux-key-1:"), "key file: unknown format")
    data = base64url(text.strip()[13:], "key file", 36)
    key, sum_ = data[:32], data[32:]
    check(same(hashlib.sha256(b"keymux-key-1:" + key).digest()[:4], sum_), "key file: checksum")
    return key


HEADER_FIELDS = ["format", "vault_id", "created_at", "revision", "keyset", "slots", "mac"]
SLOT_FIELDS = ["id", "type", "label", "created_at", "stale_binding", "params", "public_key", "sealed_keys"]
SLOT_FIELDS += ["sealed_binding", "wrapped_root"]


def read_header(stored):
    check(stored.endswith(b"\n") and len(stored) <= 256 * 1024, "header: not a line of at most 256 KiB")
    header = from_json(stored[:-1], "header")
    check(compact(header).encode() + b"\n" == stored, "header: another spelling")
    check(list(header) == HEADER_FIELDS, "header: fields or their order")
    check(header["format"] == 2, "header: format")
    check(1 <= len(header["slots"]) <= 64, "header: number of slots")
    for slot in header["slots"]:
        check(list(slot) == [name for name in SLOT_FIELDS if name in slot], "slot: fields or their order")
        check(list(slot["params"]) == sorted(slot["params"]), "slot: order of the parameters")
        check(slot.get("stale_binding", True) is True, "slot: stale_binding")
    check(len({slot["id"] for slot in header["slots"]}) == len(header["slots"]), "header: two slots of one id")
    return header


def slot_context(vault_id, slot):
    parts = []
    for name, value in slot["params"].items():
        parts += [name, "number" if isinstance(value, int) else "string", str(value)]
    return lp("keymux/2 slot", vault_id, slot["id"], slot["type"], *parts)


def open_slot(slot, key, vault_id):
    """The root key, and the slot's binding key."""
    context, what = slot_context(vault_id, slot), f"slot {slot['id']}"
    sealed = base64url(slot["sealed_keys"], f"{what}: sealed_keys")
    keys = open_box(hkdf_sha256(key, context), sealed, lp(context, "keys"), f"{what}: sealed_keys")
    check(len(keys) == 64, f"{what}: sealed_keys")
    private, binding = keys[:32], keys[32:]
    public = base64url(slot["public_key"], f"{what}: public_key", 32)
    check(same(x25519(private, X25519_BASE), public), f"{what}: public_key is not that of its private key")
    wrapped = base64url(slot["wrapped_root"], f"{what}: wrapped_root")
    ephemeral = wrapped[:32]
    info = lp("keymux/2 root wrap", context, ephemeral, public)
    wrap_key = hkdf_sha256(x25519(private, ephemeral) + binding, info)
    root = open_box(wrap_key, wrapped[32:], lp(context, "root"), f"{what}: wrapped_root")
    check(len(root) == 32, f"{what}: wrapped_root")
    return root, binding


def find_root(header, key, vault_id):
    slots = [slot for slot in header["slots"] if slot["type"] == "key_file"]
    check(slots, "header: no slot for a key file")
    failures = []
    for slot in slots:
        try:
            return slot, *open_slot(slot, key, vault_id)
        except Refused as failure:
            failures.append(str(failure))
    raise Refused("; ".join(failures))


def verify_header(header, stored, root, vault_id):
    unsigned = compact({name: header[name] for name in HEADER_FIELDS[:-1]})
    mac = hmac_sha256(derive(root, "header mac", vault_id), lp(unsigned))
    check(same(mac, base64url(header["mac"], "header: mac", 32)), "header: the MAC is wrong")
    for slot in header["slots"]:
        what = f"slot {slot['id']}: sealed_binding"
        additional = lp(slot_context(vault_id, slot), "binding")
        box = base64url(slot["sealed_binding"], what)
        binding = open_box(derive(root, "slot binding", vault_id), box, additional, what)
        check(len(binding) == 32, what)
        yield slot["id"], binding


def read_keyset(header, root, vault_id):
    box = base64url(header["keyset"], "keyset")
    plain = open_box(derive(root, "keyset", vault_id), box, lp("keymux/2 keyset", vault_id), "keyset")
    check(len(plain) > 35 and plain[0] == 1, "keyset: format")
    count = struct.unpack_from(">H", plain, 33)[0]
    check(1 <= count <= 1024 and len(plain) == 99 + 124 * count, "keyset: number of terms")
    terms = {}
    for at in range(35, 35 + 124 * count, 124):
        number, term_id, began, seal, mac, tokens = struct.unpack_from(">I16sQ32s32s32s", plain, at)
        check(number > max(terms, default=0), "keyset: order of the terms")
        terms[number] = {"id": term_id, "began": began, "seal": seal, "mac": mac, "tokens": tokens}
    return {
        "lookup": plain[1:33],
        "terms": terms,
        "term": max(terms),
        "data": plain[-64:-32],
        "manifest": plain[-32:],
    }


# Rows, manifest, audit, pin


PROFILE_FIELDS = "id uid m p off c u s r ref exp iat gen rep email cid csr sc md ln acc mod url pool con hd".split()
SECRET_FIELDS = {"api_key": ["key"], "token": ["token"], "oauth": ["accessToken", "refreshToken"]}
STATE_FIELDS = {"p": "k uid st e ea au".split(), "a": "k key st".split(), "r": "k uid at bo".split()}
STATE_FIELDS |= {"g": "k pr uid".split(), "w": "k key wa us".split()}
STATISTICS = "last_used last_failure_at cooldown_until cooldown_reason cooldown_stated disabled_until disabled_reason"
STATISTICS += " disabled_stated trial_at error_count failure_counts model_cooldowns runs epoch generation"
AUDIT_FIELDS = "at ev sub by pid det".split()
EVENTS = """vault_created slot_added slot_removed passphrase_changed rotated binding_renewed created changed renamed
removed imported revealed exported used refreshed login logout failure success reset secret_created secret_changed
secret_removed secret_revealed provider_added provider_changed provider_removed backup rollback_accepted
damaged_removed term_mended chain chain_ended""".split()


def row_id(keys, table, name):
    return hmac_sha256(keys["lookup"], lp(table, name))[:16]


def open_row(keys, vault_id, table, stored_id, body):
    what = f"row {table} {stored_id.hex()}"
    check(len(body) >= 61, f"{what}: too short")
    version, term, revision = struct.unpack_from(">BIQ", body)
    check(version == 2, f"{what}: format")
    check(term == keys["term"], f"{what}: of another term")
    length = struct.unpack_from(">I", body, 41)[0]
    metadata, secret = body[45 : 45 + length], body[45 + length :]
    check(len(metadata) == length >= 16, f"{what}: wrong length")
    check(len(secret) == 0 or len(secret) >= 28, f"{what}: wrong length")
    made = hmac.new(keys["data"], b"keymux/2 row" + body[:29] + stored_id + utf8(table) + b"\1", hashlib.sha512)
    key, mark = made.digest()[:32], made.digest()[32:48]
    head, tail = body[:45] + struct.pack(">I", len(secret)), lp(vault_id, stored_id, table)
    plain = gcm(key, body[29:41], metadata, head + b"m" + tail, f"{what}: metadata")
    row = {"term": term, "revision": revision, "mark": int.from_bytes(mark, "big"), "secret": None}
    row["metadata"] = from_json(unpad_metadata(plain, what), what)
    if secret:
        plain = gcm(key, secret[:12], secret[12:], head + b"s" + tail, f"{what}: secret")
        row["secret"] = unpad_secret(plain, what)
    return row


def read_manifest(keys, vault_id, stored, header):
    check(len(stored) > 4 and struct.unpack_from(">I", stored)[0] == keys["term"], "manifest: of another term")
    additional = lp("keymux/2 manifest", vault_id, stored[:4])
    plain = open_box(keys["manifest"], stored[4:], additional, "manifest")
    check(len(plain) == 104, "manifest: wrong length")
    total, rows, sequence, digest, lines, mac = struct.unpack(">16sQQ32sQ32s", plain)
    check(same(digest, hashlib.sha256(header).digest()), "manifest: of another header")
    fields = {"sum": int.from_bytes(total, "big"), "rows": rows, "sequence": sequence, "lines": lines, "mac": mac}
    return fields, plain


def read_lines(keys, stored, additional, name):
    """The texts of a chain with number and term, each verified against the one before, and their MACs by number."""
    before, term, lines, macs = b"", 0, [], {0: bytes(32)}
    for position, (sequence, body) in enumerate(stored, start=1):
        what = f"{name} line {position}"
        check(len(body) >= 90, f"{what}: too short")
        version, number, inside = struct.unpack_from(">BIQ", body)
        check(version == 2, f"{what}: format")
        check(sequence == inside == position, f"{what}: numbers have a gap")
        check(number in keys["terms"] and number >= term, f"{what}: term")
        term, head, box, mac = number, body[:13], body[13:-32], body[-32:]
        expected = hmac_sha256(keys["terms"][number]["mac"], lp(before, head, box))
        check(same(expected, mac), f"{what}: the MAC is wrong")
        plain = open_box(keys["terms"][number]["seal"], box, lp(*additional, head), what)
        lines.append((sequence, number, unpad_metadata(plain, what)))
        before = macs[sequence] = mac
    return lines, macs


def read_audit(keys, vault_id, stored):
    texts, macs = read_lines(keys, stored, ("keymux/2 audit", vault_id), "audit")
    lines = []
    for sequence, term, text in texts:
        what = f"audit line {sequence}"
        line = from_json(text, what)
        only(line, AUDIT_FIELDS, what)
        check(line["ev"] in EVENTS, f"{what}: unknown event {line['ev']}")
        lines.append({"sequence": sequence, "term": term, "line": line})
    return lines, macs


def read_chains(keys, vault_id, stored, audit, revisions):
    """The chains of writers, as long as the audit says and with no row in an older revision than a line says."""
    noted = {}
    for line in (each["line"] for each in audit):
        if line["ev"] in ("rotated", "rollback_accepted"):
            noted.clear()
        elif line["ev"] == "chain_ended":
            noted.pop(line["sub"], None)
        elif line["ev"] == "chain":
            sequence, mac = line["det"].split(" ")
            noted.setdefault(line["sub"], []).append((int(sequence), bytes.fromhex(mac)))
    chains = {}
    for writer, sequence, body in stored:
        chains.setdefault(writer.hex(), []).append((sequence, body))
    for writer in noted:
        check(writer in chains, f"chain {writer}: gone")
    found, given = {}, set()
    for writer, rows in chains.items():
        lines, macs = read_lines(keys, rows, ("keymux/2 chain", vault_id, bytes.fromhex(writer)), f"chain {writer}")
        for sequence, mac in noted.get(writer, []):
            check(sequence in macs and same(macs[sequence], mac), f"chain {writer}: not as the audit says")
        for sequence, term, text in lines:
            what = f"chain {writer} line {sequence}"
            check(len(text) >= 8 and (len(text) - 8) % 24 == 0, f"{what}: wrong length")
            for row, revision in struct.iter_unpack(">16sQ", text[8:]):
                check((row, revision) not in given, f"{what}: a revision that was given before")
                given.add((row, revision))
                check(revisions.get(row, revision) >= revision, f"{what}: the row was put back")
        found[writer] = len(lines)
    return found


def read_pin(path, keys, vault_id, plain, manifest, macs):
    with open(path, encoding="utf-8") as file:
        text = file.read().strip()
    check(text.startswith("keymux-pin-2:"), "pin: format")
    data = base64url(text[13:], "pin", 132)
    fields = struct.unpack(">16sI16sQ16sQ32s", data[:100])
    pinned, term, term_id, sequence, fingerprint, line, mac = fields
    check(pinned == vault_id, "pin: of another vault")
    check(term in keys["terms"] and keys["terms"][term]["id"] == term_id, "pin: unknown term")
    key = derive(keys["terms"][term]["mac"], "pin mac", vault_id)
    check(same(hmac_sha256(key, lp(data[:100])), data[100:]), "pin: the MAC is wrong")
    check(sequence <= manifest["sequence"], "pin: the vault is older than it")
    check(line in macs and same(macs[line], mac), "pin: the audit has another line there")
    present = hashlib.sha256(lp("keymux/2 manifest fingerprint", plain)).digest()[:16]
    current = sequence == manifest["sequence"]
    check(not current or same(fingerprint, present), "pin: another manifest of the same number")
    return {"term": term, "sequence": sequence, "line": line, "current": current, "verified": True}


# The whole vault


SCHEMA_VERSION, APPLICATION_ID = 2, 0x4B4D5558


def read_database(path):
    check(not os.path.exists(f"{path}-wal") or os.path.getsize(f"{path}-wal") == 0, "database: its WAL is not merged")
    database = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    database.execute("PRAGMA trusted_schema = OFF")
    one = lambda sql: database.execute(sql).fetchone()
    check(one("PRAGMA integrity_check")[0] == "ok", "database: damaged")
    check(one("PRAGMA application_id")[0] == APPLICATION_ID, "database: not a vault")
    check(one("PRAGMA user_version")[0] == SCHEMA_VERSION, "database: schema version")
    blobs = dict(database.execute("SELECT name, value FROM blobs").fetchall())
    check(set(blobs) == {"header", "manifest"}, "database: blobs")
    return {
        "term": one("SELECT term FROM state")[0],
        "header": blobs["header"],
        "manifest": blobs["manifest"],
        "rows": database.execute("SELECT tbl, id, body FROM rows WHERE body NOTNULL ORDER BY tbl, id").fetchall(),
        "log": database.execute("SELECT sequence, body FROM log ORDER BY sequence").fetchall(),
        "states": database.execute("SELECT id, revision, body FROM states ORDER BY id").fetchall(),
        "chains": database.execute("SELECT writer, sequence, body FROM chains ORDER BY writer, sequence").fetchall(),
    }


def text_of(secret, what):
    check(secret is not None, f"{what}: no secret")
    try:
        return secret.decode()
    except ValueError:
        return {"base64": base64.b64encode(secret).decode()}


def profile_of(row):
    metadata, what = row["metadata"], f"profile {row['metadata'].get('id')}"
    only(metadata, PROFILE_FIELDS, what)
    check(len(base64url(metadata["uid"], what)) == 16, f"{what}: uid")
    holds = metadata.get("s") == 1 or metadata.get("r") == 1
    check(holds == (row["secret"] is not None), f"{what}: says another thing about its secret")
    secret = from_json(row["secret"], what) if holds else None
    only(secret or {}, SECRET_FIELDS[metadata["m"]], what)
    return metadata["id"], {"metadata": metadata, "secret": secret, "revision": row["revision"]}


def secret_of(row):
    name = row["metadata"]["name"]
    only(row["metadata"], ["name"], f"secret {name}")
    return name, {"value": text_of(row["secret"], f"secret {name}"), "revision": row["revision"]}


def provider_of(row):
    name = row["metadata"]["name"]
    only(row["metadata"], ["name", "value"], f"provider {name}")
    check(row["secret"] is None, f"provider {name}: has a secret")
    return name, {"value": row["metadata"]["value"], "revision": row["revision"]}


RECORDS = {"profile": profile_of, "secret": secret_of, "provider": provider_of}


def read_records(keys, vault_id, stored, manifest):
    found, marks = {"profile": {}, "secret": {}, "provider": {}}, 0
    for table, stored_id, body in stored:
        check(table in RECORDS, f"row of an unknown table {table}")
        row = open_row(keys, vault_id, table, stored_id, body)
        name, record = RECORDS[table](row)
        check(row_id(keys, table, name) == stored_id, f"{table} {name}: filed under another name")
        check(row["revision"] <= manifest["sequence"], f"{table} {name}: newer than the manifest")
        found[table][name] = record
        marks += row["mark"]
    check(len(stored) == manifest["rows"], "manifest: another number of rows")
    check(marks % 2**128 == manifest["sum"], "manifest: the sum of the marks is another")
    return found


STATE_NAMES = {
    "p": lambda json_: f"profile\0{json_['uid']}",
    "a": lambda json_: f"account\0{json_['key']}",
    "r": lambda json_: f"refresh\0{json_['uid']}",
    "g": lambda json_: f"last_good\0{json_['pr']}",
    "w": lambda json_: f"writer\0{json_['key']}",
}


def read_states(keys, vault_id, stored):
    found = []
    for stored_id, revision, body in stored:
        if body is None:
            continue
        row = open_row(keys, vault_id, "state", stored_id, body)
        what, metadata = f"state {stored_id.hex()}", row["metadata"]
        check(row["revision"] == revision, f"{what}: of another revision than its row")
        check(row["secret"] is None, f"{what}: has a secret")
        check(metadata.get("k") in STATE_NAMES, f"{what}: unknown kind")
        only(metadata, STATE_FIELDS[metadata["k"]], what)
        only(metadata.get("st", {}), STATISTICS.split(), what)
        name = STATE_NAMES[metadata["k"]](metadata)
        check(row_id(keys, "state", name) == stored_id, f"{what}: filed under another name")
        found.append({"name": name.replace("\0", "/"), "term": row["term"], "revision": revision, "state": metadata})
    return sorted(found, key=lambda state: state["name"])


def read_vault(vault, key_file, pin=None):
    stored = read_database(vault)
    header = read_header(stored["header"])
    vault_id = base64url(header["vault_id"], "header: vault_id", 16)
    slot, root, binding = find_root(header, read_key_file(key_file), vault_id)
    bindings = dict(verify_header(header, stored["header"], root, vault_id))
    check(same(bindings[slot["id"]], binding), "slot: two binding keys")
    keys = read_keyset(header, root, vault_id)
    check(stored["term"] == keys["term"], "database: of another term than the keyset")
    manifest, plain = read_manifest(keys, vault_id, stored["manifest"], stored["header"])
    records = read_records(keys, vault_id, stored["rows"], manifest)
    states = read_states(keys, vault_id, stored["states"])
    lines, macs = read_audit(keys, vault_id, stored["log"])
    check(len(lines) == manifest["lines"], "manifest: another length of the audit")
    check(same(macs[len(lines)], manifest["mac"]), "manifest: another last line of the audit")
    revisions = {row: revision for row, revision, body in stored["states"] if body is not None}
    chains = read_chains(keys, vault_id, stored["chains"], lines, revisions)
    slot_facts = ["id", "type", "label", "created_at", "stale_binding", "params"]
    return {
        "header": {
            **{name: header[name] for name in ["format", "vault_id", "created_at", "revision"]},
            "slots": [{name: slot[name] for name in slot_facts if name in slot} for slot in header["slots"]],
            "mac_verified": True,
        },
        "opened_with": slot["id"],
        "terms": [{"number": number, "begun_at": term["began"]} for number, term in keys["terms"].items()],
        "profiles": records["profile"],
        "secrets": records["secret"],
        "providers": records["provider"],
        "states": states,
        "manifest": {
            "term": keys["term"],
            "sequence": manifest["sequence"],
            "rows": manifest["rows"],
            "sum": f"{manifest['sum']:032x}",
            "header_sha256": hashlib.sha256(stored["header"]).hexdigest(),
            "audit_lines": manifest["lines"],
            "audit_mac": manifest["mac"].hex(),
            "sum_of_marks_equal": True,
        },
        "audit": lines,
        "chains": chains,
        "pin": None if pin is None else read_pin(pin, keys, vault_id, plain, manifest, macs),
    }


def main(arguments):
    if len(arguments) not in (2, 3):
        print("usage: reader.py VAULT KEY_FILE [PIN_FILE]", file=sys.stderr)
        return 2
    try:
        document = read_vault(*arguments)
    except (Refused, sqlite3.Error, OSError, KeyError, TypeError, ValueError, struct.error) as failure:
        print(f"{type(failure).__name__}: {failure}", file=sys.stderr)
        return 1
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False, sort_keys=True)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
