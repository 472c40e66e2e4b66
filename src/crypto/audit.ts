import { BOX_OVERHEAD, openBox, sealBox } from './box.js'
import { asBuffer, corrupt, lengthPrefixed, readU64, writeU64 } from './bytes.js'
import { isSameMac, type Keyring, MAC_BYTES, macOf } from './keyring.js'
import { metaBucket, pad, unpad } from './padding.js'

/*
 * One line of the audit: [format 2][term 4][sequence 8][box of the padded text][mac 32].
 *
 * The box is bound to the term and the sequence it was written for, and the MAC to the MAC of the line before.
 * The first makes a line recognisable wherever it is moved; the second chains the lines, across terms too.
 *
 * The chain of a writer of state has the same lines, whose boxes are bound to the writer as well.
 */
const FORMAT = 2
const TERM_AT = 1
const SEQUENCE_AT = 5
const BOX_AT = 13
const SMALLEST = BOX_AT + BOX_OVERHEAD + MAC_BYTES

/** The end of a chain, or a point on it. */
export interface ChainHead {
  /** From 1. */
  readonly sequence: number
  /** 32 bytes. */
  readonly mac: Uint8Array
}

/** One stored line. */
export interface ChainLine {
  /** The number under which it is stored. */
  readonly sequence: number
  readonly body: Uint8Array
}

/**
 * What is wrong with a chain: a line was removed (`cut`), stands where another belongs that is still there
 * (`swap`), or is not what was written (`change`).
 */
export interface ChainProblem {
  /** The first sequence number at which the chain is not as written. */
  readonly sequence: number
  readonly kind: 'cut' | 'swap' | 'change'
}

/** Outcome of {@link verifyChain}. */
export interface ChainReport {
  /** The last line that is sound with all before it. */
  readonly head?: ChainHead
  readonly problem?: ChainProblem
}

/** Where a verification starts and what it must come by. */
export interface ChainExpectation {
  /** The line before the first one, when the lines do not start at 1. */
  readonly after?: ChainHead
  /** Points known from elsewhere (manifest, pin): the chain must contain each. */
  readonly anchors?: readonly ChainHead[]
  /** Whose chain it is. The audit's by default. */
  readonly writer?: Uint8Array
}

/**
 * Makes the next line of the audit.
 *
 * @param previousMac {@link entryMac} of the line before; `undefined` for the first.
 * @param sequence The number it will be stored under.
 * @param writer Whose chain it is: the 16 bytes that name a writer of state. The audit's by default.
 * @throws KeymuxError `vault_locked`
 */
export function chainEntry(
  keyring: Keyring,
  previousMac: Uint8Array | undefined,
  sequence: number,
  plaintext: Uint8Array,
  writer?: Uint8Array,
): Buffer {
  const { number: term, keys } = keyring.term
  const head = Buffer.alloc(BOX_AT)
  head[0] = FORMAT
  head.writeUInt32BE(term, TERM_AT)
  writeU64(head, sequence, SEQUENCE_AT)
  const box = sealBox(keys.auditSeal, additionalData(keyring, head, writer), pad(plaintext, metaBucket))
  return Buffer.concat([head, box, chainMac(keys.auditMac, previousMac, head, box)])
}

/** The MAC of a line, which the next one needs. @throws KeymuxError `vault_corrupt` when it is too short to have one */
export function entryMac(body: Uint8Array): Buffer {
  if (body.byteLength < SMALLEST) throw corrupt('a line of the audit')
  return asBuffer(body).subarray(-MAC_BYTES)
}

/** Whether the stored line is the one with this MAC. Its place in the chain is not looked at. */
export function isLineOf(body: Uint8Array, mac: Uint8Array): boolean {
  return body.byteLength >= SMALLEST && isSameMac(entryMac(body), mac)
}

/**
 * The text of the line stored under `sequence`. Its place in the chain is not looked at.
 *
 * @throws KeymuxError `vault_corrupt` unless it was written for that number; `vault_locked`
 */
export function openEntry(keyring: Keyring, sequence: number, body: Uint8Array, writer?: Uint8Array): Buffer {
  const line = parse(body)
  const padded = line?.sequence === sequence ? openLine(keyring, line, writer) : undefined
  const plaintext = padded === undefined ? undefined : unpad(padded)
  if (plaintext === undefined) throw corrupt('a line of the audit')
  return plaintext
}

/**
 * Checks lines that should follow each other, and finds the first that does not. A cut at the very end is
 * seen by an anchor alone. Given page by page, a swap across pages is reported as a cut.
 *
 * @param lines In the order and under the numbers in which they are stored.
 * @throws KeymuxError `vault_locked`
 */
export function verifyChain(
  keyring: Keyring,
  lines: readonly ChainLine[],
  expectation: ChainExpectation = {},
): ChainReport {
  const { writer } = expectation
  const anchors = new Map((expectation.anchors ?? []).map((anchor) => [anchor.sequence, anchor.mac]))
  let head = expectation.after
  let term = 0
  const stop = (kind: ChainProblem['kind']): ChainReport => ({
    ...(head === undefined ? {} : { head }),
    problem: { sequence: (head?.sequence ?? 0) + 1, kind },
  })
  for (const [index, stored] of lines.entries()) {
    const sequence = (head?.sequence ?? 0) + 1
    const line = parse(stored.body)
    if (line === undefined || !isSound(keyring, line, writer))
      return stop(stored.sequence === sequence ? 'change' : 'cut')
    if (line.sequence !== sequence)
      return stop(occursIn(keyring, lines.slice(index), sequence, writer) ? 'swap' : 'cut')
    if (stored.sequence !== sequence || !followsOn(keyring, head?.mac, line)) return stop('change')
    // Who left with a former term's keys can write nothing that comes after a rotation.
    if (line.term < term) return stop('change')
    term = line.term
    const anchor = anchors.get(sequence)
    if (anchor !== undefined && !line.mac.equals(anchor)) return stop('change')
    head = { sequence, mac: line.mac }
  }
  const last = head?.sequence ?? 0
  if ([...anchors.keys()].some((sequence) => sequence > last)) return stop('cut')
  return head === undefined ? {} : { head }
}

interface Line {
  readonly term: number
  readonly sequence: number
  /** Format, term and sequence as stored. */
  readonly head: Buffer
  readonly box: Buffer
  readonly mac: Buffer
}

function parse(body: Uint8Array): Line | undefined {
  const bytes = asBuffer(body)
  if (bytes.length < SMALLEST || bytes[0] !== FORMAT) return undefined
  const sequence = readU64(bytes, SEQUENCE_AT)
  if (sequence === undefined) return undefined
  const end = bytes.length - MAC_BYTES
  return {
    term: bytes.readUInt32BE(TERM_AT),
    sequence,
    head: bytes.subarray(0, BOX_AT),
    box: bytes.subarray(BOX_AT, end),
    mac: bytes.subarray(end),
  }
}

function occursIn(
  keyring: Keyring,
  lines: readonly ChainLine[],
  sequence: number,
  writer: Uint8Array | undefined,
): boolean {
  return lines.some(({ body }) => {
    const line = parse(body)
    return line?.sequence === sequence && isSound(keyring, line, writer)
  })
}

/** Whether the line was written for the number and the chain it carries, wherever it stands now. */
function isSound(keyring: Keyring, line: Line, writer: Uint8Array | undefined): boolean {
  return openLine(keyring, line, writer) !== undefined
}

function followsOn(keyring: Keyring, previousMac: Uint8Array | undefined, line: Line): boolean {
  const key = keyring.termOf(line.term)?.keys.auditMac
  return key !== undefined && isSameMac(line.mac, chainMac(key, previousMac, line.head, line.box))
}

function openLine(keyring: Keyring, line: Line, writer: Uint8Array | undefined): Buffer | undefined {
  const key = keyring.termOf(line.term)?.keys.auditSeal
  return key === undefined ? undefined : openBox(key, additionalData(keyring, line.head, writer), line.box)
}

// An empty part stands for "nothing before": no MAC is empty.
function chainMac(key: Buffer, previousMac: Uint8Array | undefined, head: Buffer, box: Buffer): Buffer {
  return macOf(key, [previousMac ?? new Uint8Array(0), head, box])
}

function additionalData(keyring: Keyring, head: Buffer, writer: Uint8Array | undefined): Buffer {
  return writer === undefined
    ? lengthPrefixed('keymux/2 audit', keyring.vaultId, head)
    : lengthPrefixed('keymux/2 chain', keyring.vaultId, writer, head)
}
