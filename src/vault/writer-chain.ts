import { randomBytes } from 'node:crypto'
import { type ChainHead, chainEntry, entryMac } from '../crypto/audit.js'
import { readU64, writeU64 } from '../crypto/bytes.js'
import type { Keyring } from '../crypto/keyring.js'
import type { Clock } from '../domain/ports.js'
import type { ChainLine, StateWritten } from '../storage/contract.js'

/*
 * What a line of a chain says: [when it was written, ms 8], then for each row that it tells of [id 16][revision 8].
 */
const TIME_BYTES = 8
const ID_BYTES = 16
const ENTRY_BYTES = ID_BYTES + 8

/** Lines of the audit that tell of the chains of writers. */
export const CHAIN_NOTED = 'chain'
export const CHAIN_ENDED = 'chain_ended'

/** A chain as long as this is ended, and another one begun. */
const LONGEST_CHAIN = 1_000

/** What one line of a chain says. */
export interface WriterLine {
  readonly at: number
  readonly rows: readonly StateWritten[]
}

/** How far a writer's chain has come. */
export interface WriterHead extends ChainHead {
  /** 16 bytes. */
  readonly writer: Uint8Array
}

/**
 * The chain of one process that writes state: its lines name the rows that it wrote and the revisions that they got, so
 * that a row that is put back to an older one is noticed. The audit is told of its end now and then.
 */
export class WriterChain {
  readonly #keyring: Keyring
  readonly #clock: Clock
  #writer: Buffer = randomBytes(ID_BYTES)
  #term = 0
  #head: ChainHead | undefined
  #noted = 0
  /** The revisions that the chain names, by the row's id in hexadecimal. */
  #rows = new Map<string, number>()
  /** Of an earlier chain: the next line says it again. */
  #carried: readonly StateWritten[] = []
  #proposed: { readonly head: ChainHead; readonly rows: readonly StateWritten[] } | undefined

  constructor(keyring: Keyring, clock: Clock) {
    this.#keyring = keyring
    this.#clock = clock
  }

  /** The end of the chain, where the audit does not know of it yet. */
  get news(): WriterHead | undefined {
    const head = this.#head
    if (head === undefined || head.sequence <= this.#noted || !this.#isPresent()) return undefined
    return { ...head, writer: this.#writer }
  }

  /** The writer in hexadecimal. */
  get name(): string {
    return this.#writer.toString('hex')
  }

  get isLong(): boolean {
    return (this.#head?.sequence ?? 0) >= LONGEST_CHAIN
  }

  /** Whether its lines belong to the present term: a rotation ends every chain. */
  #isPresent(): boolean {
    return this.#term === this.#keyring.term.number
  }

  /** The line for rows that were written. It belongs to the chain once {@link WriterChain.accept} is called. */
  line(written: readonly StateWritten[]): ChainLine {
    if (!this.#isPresent()) this.restart()
    this.#term = this.#keyring.term.number
    const rows = [...this.#carried, ...written]
    const sequence = (this.#head?.sequence ?? 0) + 1
    const text = encodeLine({ at: Math.max(0, Math.floor(Number(this.#clock.now()))), rows })
    const body = chainEntry(this.#keyring, this.#head?.mac, sequence, text, this.#writer)
    this.#proposed = { head: { sequence, mac: entryMac(body) }, rows }
    return { writer: this.#writer, sequence, body }
  }

  /** The line that was asked for last has been written. */
  accept(): void {
    if (this.#proposed === undefined) return
    const { head, rows } = this.#proposed
    this.#head = head
    for (const { id, revision } of rows) this.#rows.set(Buffer.from(id).toString('hex'), revision)
    this.#carried = []
    this.#proposed = undefined
  }

  /** The audit knows of the chain up to this line. */
  noted({ writer, sequence }: WriterHead): void {
    if (this.#writer.equals(writer)) this.#noted = Math.max(this.#noted, sequence)
  }

  /** Begins another chain, under another name. */
  restart(): void {
    this.#writer = randomBytes(ID_BYTES)
    this.#head = undefined
    this.#noted = 0
    this.#carried = []
    this.#proposed = undefined
    this.#rows = new Map()
  }

  /** Begins another chain, whose first line says all that this one said. */
  goOn(): void {
    const carried = [...this.#rows].map(([id, revision]) => ({ id: Buffer.from(id, 'hex'), revision }))
    this.restart()
    this.#carried = carried
  }
}

function encodeLine({ at, rows }: WriterLine): Buffer {
  const text = Buffer.alloc(TIME_BYTES + rows.length * ENTRY_BYTES)
  writeU64(text, at, 0)
  for (const [index, { id, revision }] of rows.entries()) {
    const start = TIME_BYTES + index * ENTRY_BYTES
    text.set(id, start)
    writeU64(text, revision, start + ID_BYTES)
  }
  return text
}

/** `undefined` for what is no such line. */
export function decodeLine(text: Buffer): WriterLine | undefined {
  const at = text.length < TIME_BYTES ? undefined : readU64(text, 0)
  if (at === undefined || (text.length - TIME_BYTES) % ENTRY_BYTES !== 0) return undefined
  const rows: StateWritten[] = []
  for (let start = TIME_BYTES; start < text.length; start += ENTRY_BYTES) {
    const revision = readU64(text, start + ID_BYTES)
    if (revision === undefined) return undefined
    rows.push({ id: text.subarray(start, start + ID_BYTES), revision })
  }
  return { at, rows }
}

/** How the audit says that a chain had come as far as `head`. */
export function noteOf({ writer, sequence, mac }: WriterHead): readonly [subject: string, detail: string] {
  return [Buffer.from(writer).toString('hex'), `${sequence} ${Buffer.from(mac).toString('hex')}`]
}

/** The end of a chain that a line of the audit tells of. */
export function notedHead(detail: string | undefined): ChainHead | undefined {
  const [, sequence, mac] = /^(\d{1,15}) ([0-9a-f]{64})$/.exec(detail ?? '') ?? []
  return mac === undefined ? undefined : { sequence: Number(sequence), mac: Buffer.from(mac, 'hex') }
}
