import { randomInt } from 'node:crypto'
import { type ChainReport, openEntry, verifyChain } from '../crypto/audit.js'
import type { Keyring } from '../crypto/keyring.js'
import { isKeymuxError } from '../domain/errors.js'
import type { VaultProblem } from '../domain/vault.js'
import { IMPOSSIBLE } from '../storage/checks.js'
import type { ChainHead, LogRow, StoreReader } from '../storage/contract.js'
import type { AuditLog } from './audit-log.js'
import type { CoreTransaction } from './rows.js'
import { decodeLine, type WriterChain, type WriterLine } from './writer-chain.js'

/** The chain of a process that has written nothing for so long tells of nothing that still counts. */
const CHAIN_KEPT_MS = 30 * 24 * 3_600_000
/** There may be thousands: so many are looked at in one step, others in the next. */
const LOOKED_AT_ONCE = 20
const READ_AT_ONCE = 1_000

/**
 * Ends chains that are old, and the own one where it is long: the audit keeps their last line.
 *
 * @returns what is to be done once that is durable
 */
export async function endChains(
  tx: CoreTransaction,
  { keyring, own, nowMs }: { readonly keyring: Keyring; readonly own: WriterChain; readonly nowMs: number },
): Promise<() => void> {
  const mine = own.name
  for (const { writer, last } of someOf(await tx.reader.chains())) {
    if (hex(writer) === mine) continue
    const [line] = await tx.reader.readChain(writer, last, 1)
    const at = line && readLine(keyring, writer, line)?.at
    if (at === undefined || nowMs - at < CHAIN_KEPT_MS) continue
    await tx.endChain(writer)
  }
  await tx.noteChain()
  if (!own.isLong) return () => {}
  await tx.endChain(Buffer.from(mine, 'hex'))
  return () => own.goOn()
}

/** As many as are looked at, from a random one on. */
function someOf(heads: readonly ChainHead[]): readonly ChainHead[] {
  const start = heads.length > LOOKED_AT_ONCE ? randomInt(heads.length) : 0
  return [...heads.slice(start), ...heads.slice(0, start)].slice(0, LOOKED_AT_ONCE)
}

/** What is wrong with the chains of writers, and with rows of state according to them. */
export async function chainProblems(
  reader: StoreReader,
  keyring: Keyring,
  audit: AuditLog,
): Promise<VaultProblem[]> {
  const noted = await audit.chainHeads(reader)
  const stored = (await reader.chains()).map(({ writer }) => hex(writer))
  const problems: VaultProblem[] = []
  const named = new NamedRevisions()
  for (const name of new Set([...noted.keys(), ...stored])) {
    const writer = Buffer.from(name, 'hex')
    const lines = await readWhole(reader, writer)
    const { problem } = verifyChain(keyring, lines, { writer, anchors: noted.get(name) ?? [] })
    if (problem !== undefined) problems.push(cutShort(name, problem))
    for (const line of lines) named.add(readLine(keyring, writer, line))
  }
  const states = await reader.scanState()
  return [...problems, ...named.problems(new Map(states.map(({ id, revision }) => [hex(id), revision])))]
}

/** The revisions that lines say rows got. Each is given one time. */
class NamedRevisions {
  readonly #highest = new Map<string, number>()
  readonly #seen = new Set<string>()
  readonly #again = new Set<string>()

  add(line: WriterLine | undefined): void {
    for (const { id, revision } of line?.rows ?? []) {
      const row = hex(id)
      const key = `${row} ${revision}`
      if (this.#seen.has(key)) this.#again.add(row)
      this.#seen.add(key)
      this.#highest.set(row, Math.max(this.#highest.get(row) ?? 0, revision))
    }
  }

  /** Rows that are older than a line says, or were so in between. One that is gone went with its profile. */
  problems(standing: ReadonlyMap<string, number>): VaultProblem[] {
    return [...this.#highest].flatMap(([row, revision]) => {
      const present = standing.get(row)
      if (present === undefined || (present >= revision && !this.#again.has(row))) return []
      const record = `state/${row}`
      return [
        { code: 'state_rolled_back', message: `the record ${record} was put back to an older one`, record },
      ]
    })
  }
}

function cutShort(name: string, { kind, sequence }: NonNullable<ChainReport['problem']>): VaultProblem {
  return {
    code: `chain_${kind}`,
    message: `the chain of writer ${name} is not whole from line ${sequence} on (${kind})`,
    record: `${name}/${sequence}`,
  }
}

async function readWhole(reader: StoreReader, writer: Uint8Array): Promise<LogRow[]> {
  const lines: LogRow[] = []
  for (;;) {
    const page = await reader.readChain(writer, (lines.at(-1)?.sequence ?? 0) + 1, READ_AT_ONCE)
    lines.push(...page)
    // Beyond an impossible number there is nothing to ask for.
    if (page.length < READ_AT_ONCE || (page.at(-1)?.sequence ?? 0) >= IMPOSSIBLE) return lines
  }
}

function readLine(keyring: Keyring, writer: Uint8Array, { sequence, body }: LogRow): WriterLine | undefined {
  try {
    return decodeLine(openEntry(keyring, sequence, body, writer))
  } catch (error) {
    if (isKeymuxError(error, 'vault_corrupt')) return undefined
    throw error
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
