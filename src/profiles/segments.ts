/** What is remembered of one digest. */
export interface Remembered {
  /** Of the profile. */
  readonly uid: string
  /** In epoch milliseconds, to the second. */
  readonly atMs: number
  /** A second digest; absent where there is none. */
  readonly mark?: string
}

/** One of several parts of what is remembered, as it is stored. */
export interface Segment {
  /** The profiles that entries name by their place here. */
  readonly uids: readonly string[]
  /** Entries of {@link ENTRY_BYTES} in base64, in the order in which they were written. */
  readonly entries: string
}

/** Length of a digest, in bytes. */
export const DIGEST_BYTES = 12
/** Digest, mark (zeros for none), seconds since 1970 and the place of the profile, both big-endian. */
export const ENTRY_BYTES: number = 2 * DIGEST_BYTES + 4 + 2
/** So many entries fit into a segment, which is written anew with each batch: 10 kB. */
export const SEGMENT_ENTRIES = 256

const NO_MARK = '\0'.repeat(DIGEST_BYTES)
/** In the year 2106; a clock that is wrong may say anything. */
const LAST_SECOND = 0xffff_ffff
const EMPTY: Segment = { uids: [], entries: '' }

/** How many entries a segment has. */
export function entryCount(segment: Segment | undefined): number {
  if (segment === undefined) return 0
  return Math.floor(Buffer.byteLength(segment.entries, 'base64') / ENTRY_BYTES)
}

/** A segment with more entries. Digests are strings of a character for each byte. */
export function withEntries(
  segment: Segment = EMPTY,
  added: Iterable<readonly [digest: string, value: Remembered]>,
): Segment {
  const uids = [...segment.uids]
  const pieces = [Buffer.from(segment.entries, 'base64')]
  for (const [digest, { uid, atMs, mark = NO_MARK }] of added) {
    let place = uids.indexOf(uid)
    if (place < 0) place = uids.push(uid) - 1
    const entry = Buffer.alloc(ENTRY_BYTES)
    entry.write(digest, 0, 'latin1')
    entry.write(mark, DIGEST_BYTES, 'latin1')
    entry.writeUInt32BE(Math.min(Math.max(0, Math.floor(atMs / 1_000)), LAST_SECOND), 2 * DIGEST_BYTES)
    entry.writeUInt16BE(place, 2 * DIGEST_BYTES + 4)
    pieces.push(entry)
  }
  return { uids, entries: Buffer.concat(pieces).toString('base64') }
}

/** When the last entry of a segment was made, in epoch milliseconds; 0 where it has none. */
export function lastEntryMs({ entries }: Segment): number {
  const count = Math.floor(Buffer.byteLength(entries, 'base64') / ENTRY_BYTES)
  if (count === 0) return 0
  // Three bytes are four characters, and an entry is ten times three bytes.
  const bytes = Buffer.from(entries.slice(((count - 1) * ENTRY_BYTES * 4) / 3), 'base64')
  return bytes.readUInt32BE(2 * DIGEST_BYTES) * 1_000
}

/** The entries of a segment, the oldest first. Those that name no profile are left out. */
export function* entriesOf({ uids, entries }: Segment): Generator<[digest: string, value: Remembered]> {
  const bytes = Buffer.from(entries, 'base64')
  for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
    const uid = uids[bytes.readUInt16BE(at + 2 * DIGEST_BYTES + 4)]
    if (uid === undefined) continue
    const atMs = bytes.readUInt32BE(at + 2 * DIGEST_BYTES) * 1_000
    const mark = bytes.toString('latin1', at + DIGEST_BYTES, at + 2 * DIGEST_BYTES)
    const value = mark === NO_MARK ? { uid, atMs } : { uid, atMs, mark }
    yield [bytes.toString('latin1', at, at + DIGEST_BYTES), value]
  }
}
