// Changes bytes of a vault file one at a time and opens what comes of it. Prints a line for every change
// that is answered with anything but a sound store or an error of keymux, and at last the counts.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isKeymuxError } from '../../../src/domain/errors.js'
import type { StoreReader } from '../../../src/storage/contract.js'
import { openSqliteStore } from '../../../src/storage/sqlite/index.js'

const [, , source = '', victim = '', companion = '', part = '0', parts = '1', everyZero = '16'] = process.argv
const sound = readFileSync(source)
const flippedFile = companion === '' ? source : companion
const bytes = readFileSync(flippedFile)
const counts: Record<string, number> = {}
const count = (what: string): void => {
  counts[what] = (counts[what] ?? 0) + 1
}

const describe = async (reader: StoreReader): Promise<Map<string, string>> => {
  const found = new Map<string, string>()
  for (const row of await reader.scan()) {
    found.set(
      `${row.table}/${Buffer.from(row.id).toString('hex')}`,
      Buffer.from(row.body ?? []).toString('hex'),
    )
  }
  for (const line of await reader.readLog(1, 1000))
    found.set(`log ${line.sequence}`, Buffer.from(line.body).toString('hex'))
  for (const name of ['header', 'manifest']) {
    found.set(name, Buffer.from((await reader.getBlob(name)) ?? []).toString('hex'))
  }
  for (const { id, revision, body } of await reader.scanState())
    found.set(`state ${Buffer.from(id).toString('hex')}`, `${revision} ${Buffer.from(body).toString('hex')}`)
  for (const { writer } of await reader.chains()) {
    for (const line of await reader.readChain(writer, 1, 1000))
      found.set(
        `chain ${Buffer.from(writer).toString('hex')} ${line.sequence}`,
        Buffer.from(line.body).toString('hex'),
      )
  }
  await reader.changesSince(0)
  await reader.changesSince(3)
  await reader.lastLog()
  return found
}

/** What an undamaged vault holds; taken from an unflipped copy. */
let expected = new Map<string, string>()

/** How far a damaged vault is from the sound one. */
function compare(found: Map<string, string>): string {
  let [missing, altered] = [0, 0]
  for (const [key, value] of expected) {
    if (!found.has(key)) missing++
    else if (found.get(key) !== value) altered++
  }
  const added = [...found.keys()].filter((key) => !expected.has(key)).length
  if (missing + altered + added === 0) return 'intact'
  // One byte lies in one row; a change of a key looks like one row gone and another come.
  return altered > 1 ? 'many altered' : altered + added > 0 ? 'one altered' : 'missing'
}

async function open(): Promise<string> {
  let store: Awaited<ReturnType<typeof openSqliteStore>> | undefined
  try {
    store = await openSqliteStore(victim)
    const outcome = compare(await store.read(describe))
    const problems = await store.integrityProblems()
    await store.write(async (tx) => {
      await tx.putRow('t', new Uint8Array(16).fill(1), Uint8Array.of(1, 2, 3))
      await tx.deleteRow('t', new Uint8Array(16).fill(2))
      await tx.appendLog(Uint8Array.of(1))
    })
    await store.writeState({
      term: 0,
      writes: [1, 2, 3].map((n) => ({
        id: new Uint8Array(16).fill(n),
        expected: n % 3,
        body: Uint8Array.of(n),
      })),
    })
    return problems.length > 0 ? `${outcome}, reported` : outcome
  } catch (error) {
    if (!isKeymuxError(error)) throw error
    // Damage must not be taken for a disk or a file system at fault.
    if (error.code === 'storage_unavailable') throw error
    return error.code
  } finally {
    await store?.close()
  }
}

let changes = 0
for (let at = Number(part); at < bytes.length; at += Number(parts)) {
  const original = bytes[at] ?? 0
  // Most zeros are unused space.
  if (original === 0 && at > 100 && Math.floor(at / Number(parts)) % Number(everyZero) !== 0) continue
  const mask = [0xff, 0x01, 0x80, 0x04][at % 4] ?? 0xff
  if (expected.size === 0) {
    writeVictim(sound, bytes)
    const store = await openSqliteStore(victim)
    expected = await store.read(describe)
    await store.close()
  }
  const flipped = Buffer.from(bytes)
  flipped[at] = original ^ mask
  writeVictim(companion === '' ? flipped : sound, companion === '' ? undefined : flipped)
  try {
    count(await open())
  } catch (error) {
    process.stdout.write(`byte ${at} ^ ${mask}: ${error instanceof Error ? error.stack : String(error)}\n`)
    count('crash')
  }
  if (++changes % 100 === 0) {
    // The binding ends connections when their statements are collected.
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
}
process.stdout.write(`${JSON.stringify({ changes, counts })}\n`)

function writeVictim(database: Buffer, log: Buffer | undefined): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${victim}${suffix}`, { force: true })
  writeFileSync(victim, database, { mode: 0o600 })
  if (log !== undefined && companion !== '') writeFileSync(`${victim}-wal`, log, { mode: 0o600 })
}
