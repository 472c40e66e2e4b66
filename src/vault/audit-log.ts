import type { ChainHead } from '../crypto/audit.js'
import { chainEntry, entryMac, openEntry, verifyChain } from '../crypto/audit.js'
import type { Keyring } from '../crypto/keyring.js'
import { withoutUndefined } from '../domain/defined.js'
import { KeymuxError } from '../domain/errors.js'
import type { Clock } from '../domain/ports.js'
import type { AuditEntry, VaultProblem } from '../domain/vault.js'
import { IMPOSSIBLE } from '../storage/checks.js'
import type { StoreReader, StoreTransaction } from '../storage/contract.js'
import { CHAIN_ENDED, CHAIN_NOTED, notedHead } from './writer-chain.js'

interface AuditLine {
  readonly at: number
  readonly ev: string
  readonly sub?: string
  readonly by: string
  readonly pid: number
  readonly det?: string
}

const READ_AT_ONCE = 1_000

/** Writes and reads the audit: who did what to which profile, never a value. */
export class AuditLog {
  readonly #keyring: Keyring
  readonly #clock: Clock
  readonly #surface: string
  readonly #pid: number

  constructor(keyring: Keyring, clock: Clock, surface: string, pid: number) {
    this.#keyring = keyring
    this.#clock = clock
    this.#surface = surface
    this.#pid = pid
  }

  /** The same log, whose lines are sealed under other keys: those of the term that begins with them. */
  under(keyring: Keyring): AuditLog {
    return new AuditLog(keyring, this.#clock, this.#surface, this.#pid)
  }

  /** Appends one line inside the transaction that it records, and gives the new end of the chain. */
  async append(
    tx: StoreTransaction,
    head: ChainHead | undefined,
    event: string,
    subject?: string,
    detail?: string,
  ): Promise<ChainHead> {
    const line: AuditLine = withoutUndefined({
      at: Number(this.#clock.now()),
      ev: event,
      sub: subject,
      by: this.#surface,
      pid: this.#pid,
      det: detail,
    })
    const sequence = (head?.sequence ?? 0) + 1
    const body = chainEntry(this.#keyring, head?.mac, sequence, Buffer.from(JSON.stringify(line)))
    if ((await tx.appendLog(body)) !== sequence) {
      throw new KeymuxError('vault_tampered', 'the audit log is not the one last written', {
        hint: 'see keymux audit --verify',
      })
    }
    return { sequence, mac: entryMac(body) }
  }

  /** All lines since an instant, oldest first. Lines that cannot be opened are left out. */
  async read(reader: StoreReader, since: Date | undefined): Promise<AuditEntry[]> {
    const entries: AuditEntry[] = []
    for await (const { sequence, body } of lines(reader)) {
      const line = this.#line(sequence, body)
      if (line === undefined || (since !== undefined && line.at < since.getTime())) continue
      entries.push(
        withoutUndefined({
          sequence,
          at: new Date(line.at),
          event: line.ev,
          subject: line.sub,
          surface: line.by,
          pid: line.pid,
          detail: line.det,
        }),
      )
    }
    return entries
  }

  /** The last line that a member of the vault wrote for its place, whatever stands before and after it. */
  async end(reader: StoreReader): Promise<ChainHead | undefined> {
    let end: ChainHead | undefined
    for await (const { sequence, body } of lines(reader)) {
      if (this.#line(sequence, body) !== undefined) end = { sequence, mac: entryMac(body) }
    }
    return end
  }

  /** How far chains of writers had come when the audit was told, by writer in hexadecimal. */
  async chainHeads(reader: StoreReader): Promise<Map<string, ChainHead[]>> {
    const heads = new Map<string, ChainHead[]>()
    for await (const { sequence, body } of lines(reader)) {
      const line = this.#line(sequence, body)
      // A rotation seals every row anew, and an owner may take what is there for the truth: either ends every chain.
      if (line?.ev === 'rotated' || line?.ev === 'rollback_accepted') heads.clear()
      if (line?.sub === undefined) continue
      const head = line.ev === CHAIN_NOTED ? notedHead(line.det) : undefined
      if (head !== undefined) heads.set(line.sub, [...(heads.get(line.sub) ?? []), head])
      else if (line.ev === CHAIN_ENDED) heads.delete(line.sub)
    }
    return heads
  }

  /** What is wrong with the chain; nothing if it is whole. */
  async verify(reader: StoreReader, anchors: readonly ChainHead[]): Promise<VaultProblem[]> {
    const rows: { sequence: number; body: Uint8Array }[] = []
    for await (const row of lines(reader)) rows.push(row)
    const { problem } = verifyChain(this.#keyring, rows, { anchors })
    if (problem === undefined) return []
    return [
      {
        code: `audit_${problem.kind}`,
        message: `the audit log is not whole from line ${problem.sequence} on (${problem.kind})`,
        record: String(problem.sequence),
      },
    ]
  }

  #line(sequence: number, body: Uint8Array): AuditLine | undefined {
    try {
      return JSON.parse(openEntry(this.#keyring, sequence, body).toString()) as AuditLine
    } catch (error) {
      if (error instanceof KeymuxError && error.code === 'vault_corrupt') return undefined
      throw error
    }
  }
}

async function* lines(reader: StoreReader): AsyncGenerator<{ sequence: number; body: Uint8Array }> {
  let from = 1
  for (;;) {
    const rows = await reader.readLog(from, READ_AT_ONCE)
    yield* rows
    const last = rows.at(-1)
    // Beyond an impossible number there is nothing to ask for.
    if (last === undefined || rows.length < READ_AT_ONCE || last.sequence >= IMPOSSIBLE) return
    from = last.sequence + 1
  }
}
