import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSqliteStore } from '../../src/storage/sqlite/index.js'
import { makeLab, start } from './storage-lab.js'

const lab = makeLab()
afterAll(() => lab.dispose())

const source = join(lab.folder, 'sound.db')
const log = join(lab.folder, 'sound.db.log')

/** A small vault with everything in it: rows of several sizes, deleted ones, blobs, a log, state. */
beforeAll(async () => {
  const store = await openSqliteStore(source, { create: true })
  const id = (n: number): Uint8Array => new Uint8Array(16).fill(n)
  const body = (n: number): Uint8Array => new Uint8Array(n).map((_, i) => (i * n) % 255 || 1)
  await store.write(async (tx) => {
    await tx.putBlob('header', body(300))
    for (const [i, size] of [1, 40, 200, 500, 900].entries()) await tx.putRow('t', id(i + 1), body(size))
    await tx.putRow('u', id(1), body(1500))
  })
  await store.write((tx) => tx.deleteRow('t', id(3)))
  await store.write(async (tx) => {
    await tx.putBlob('manifest', body(64))
    for (let n = 0; n < 4; n++) await tx.appendLog(body(50 + n))
  })
  for (const [i, size] of [30, 300, 90].entries()) {
    await store.writeState({
      term: 0,
      writes: [{ id: id(i + 1), expected: 0, body: body(size) }],
      line: () => ({ writer: id(9), sequence: i + 1, body: body(40 + i) }),
    })
  }
  await store.writeState({ term: 0, writes: [{ id: id(2), expected: 1, body: undefined }] })
  await store.close()
})

interface Report {
  readonly changes: number
  readonly counts: Record<string, number>
}

/** Runs two processes that together change two bytes out of `parts`, and of the zeros one in `everyZero`. */
async function flip(
  database: string,
  companion: string,
  parts: number,
  everyZero: number,
): Promise<Report[]> {
  const program = await lab.program('storage-flipper')
  const run = async (part: number): Promise<Report> => {
    const victim = join(lab.folder, `victim-${part}.db`)
    const args = ['--expose-gc', program, database, victim, companion, `${part}`, `${parts}`, `${everyZero}`]
    const { code, signal, lines, errors } = await start(process.execPath, args).ended
    expect({ code, signal, errors }).toEqual({ code: 0, signal: null, errors: '' })
    const report: Report = JSON.parse(lines.at(-1) ?? '{}')
    expect(lines.slice(0, -1)).toEqual([])
    return report
  }
  return Promise.all([0, 1].map(run))
}

const total = (reports: readonly Report[], what: string): number =>
  reports.reduce((sum, report) => sum + (report.counts[what] ?? 0), 0)

describe('one changed byte', () => {
  it('of the vault file is harmless, reported, or confined to one value', { timeout: 240_000 }, async () => {
    const reports = await flip(source, '', 4, 20)
    expect(reports.reduce((sum, report) => sum + report.changes, 0)).toBeGreaterThan(1500)
    expect(total(reports, 'crash')).toBe(0)
    expect(total(reports, 'many altered')).toBe(0)
    expect(total(reports, 'intact')).toBeGreaterThan(0)
    expect(total(reports, 'vault_corrupt')).toBeGreaterThan(0)
  })

  it('of the log is harmless or cuts off what came after', { timeout: 120_000 }, async () => {
    const copy = join(lab.folder, 'logged.db')
    const store = await openSqliteStore(source)
    await store.write((tx) => tx.putRow('t', new Uint8Array(16).fill(9), Uint8Array.of(9)))
    await store.write((tx) => tx.putRow('t', new Uint8Array(16).fill(9), Uint8Array.of(10)))
    copyFileSync(`${source}-wal`, log)
    copyFileSync(source, copy)
    await store.close()
    expect(readFileSync(log).length).toBeGreaterThan(4096)
    const reports = await flip(copy, log, 8, 10)
    expect(total(reports, 'crash')).toBe(0)
    expect(total(reports, 'many altered')).toBe(0)
  })
})
