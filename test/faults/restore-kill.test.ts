import { copyFileSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, it } from 'vitest'
import { openSqliteStore } from '../../src/storage/sqlite/index.js'
import { makeLab, seededRandom, start } from './storage-lab.js'

const lab = makeLab()
afterAll(() => lab.dispose())

const ROWS = 600

/** A vault in which everything says `text`. */
async function makeVault(path: string, text: string): Promise<void> {
  const store = await openSqliteStore(path, { create: true })
  const body = new Uint8Array(Buffer.from(text.padEnd(2_000, '.')))
  await store.write(async (tx) => {
    await tx.putBlob('header', body)
    await tx.appendLog(body)
    for (let n = 0; n < ROWS; n += 1) {
      const id = new Uint8Array(16)
      new DataView(id.buffer).setUint32(0, n)
      await tx.putRow('t', id, body)
    }
  })
  await store.close()
}

/** What a vault says, when it is whole and of one mind. */
async function said(path: string): Promise<string> {
  const store = await openSqliteStore(path)
  try {
    expect(await store.integrityProblems()).toEqual([])
    const bodies = await store.read(async (reader) => [
      await reader.getBlob('header'),
      (await reader.lastLog())?.body,
      ...(await reader.scan('t')).map((row) => row.body),
    ])
    expect(bodies).toHaveLength(ROWS + 2)
    const words = new Set(
      bodies.map((body) =>
        Buffer.from(body ?? [])
          .toString()
          .replace(/[.]+$/, ''),
      ),
    )
    expect(words.size).toBe(1)
    return [...words].join()
  } finally {
    await store.close()
  }
}

it('kill -9 while a vault is restored leaves the old one or the new one', { timeout: 120_000 }, async () => {
  const program = await lab.program('storage-restorer')
  const random = seededRandom(4)
  const [present, copy] = [join(lab.folder, 'present.db'), join(lab.folder, 'copy.db')]
  await makeVault(present, 'old')
  await makeVault(copy, 'new')
  const seen: Record<string, number> = {}
  for (let round = 0; round < 40; round += 1) {
    const folder = join(lab.folder, `round-${round}`)
    mkdirSync(folder, { mode: 0o700 })
    const vault = join(folder, 'vault.db')
    copyFileSync(present, vault)
    const restorer = start(process.execPath, [program, copy, vault])
    await restorer.line((line) => line === 'replacing')
    // Every fourth is killed when the change is done, the others somewhere on the way.
    if (round % 4 === 3) await restorer.line((line) => line === 'replaced')
    else await sleep(random() * 40)
    restorer.child.kill('SIGKILL')
    const { lines } = await restorer.ended
    const now = await said(vault)
    if (lines.includes('replaced')) expect(now).toBe('new')
    const kept = readdirSync(folder).filter((name) => /before-restore-\d+$/.test(name))
    for (const name of kept) expect(await said(join(folder, name))).toBe('old')
    if (now === 'new') expect(kept).toHaveLength(1)
    const state = `${now}, ${kept.length} kept`
    seen[state] = (seen[state] ?? 0) + 1
  }
  expect(seen['new, 1 kept']).toBeGreaterThanOrEqual(10)
})
