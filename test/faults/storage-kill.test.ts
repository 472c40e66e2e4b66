import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import { makeLab, type Running, seededRandom, start } from './storage-lab.js'

const lab = makeLab()
afterAll(() => lab.dispose())

/** Kills a writer `rounds` times at random instants and holds every next start against what was acknowledged. */
async function killRepeatedly(name: string, path: string, rounds: number, seed: number): Promise<number> {
  const program = await lab.program(name)
  const random = seededRandom(seed)
  let acknowledged = 0
  for (let round = 0; round <= rounds; round++) {
    const graceful = round === rounds
    const writer = start(process.execPath, [program, path, ...(graceful ? ['5'] : [])])
    // Most die while writing, some while opening the vault that the one before left behind.
    if (!graceful && random() < 0.15) {
      await writer.line((line) => line.includes('started'))
      await sleep(random() * 15)
    } else {
      await writer.line((line) => line.includes('problems'))
      if (!graceful) await sleep(random() * 40)
    }
    if (!graceful) writer.child.kill('SIGKILL')
    const outcome = await writer.ended
    expect(graceful ? outcome.code : outcome.signal, outcome.errors).toBe(graceful ? 0 : 'SIGKILL')
    const report = outcome.lines.map((line): unknown => JSON.parse(line))
    acknowledged = checkStart(report, acknowledged)
  }
  return acknowledged
}

function checkStart(report: readonly unknown[], acknowledged: number): number {
  const state = report[1]
  if (state === undefined) return acknowledged
  expect(state).toMatchObject({
    problems: [],
    inOrder: true,
    rowsMatch: true,
    blobMatches: true,
    cursorMatches: true,
  })
  const found = Number(Object(state).log)
  // One write may have become durable just before its acknowledgement could be sent.
  expect(found).toBeGreaterThanOrEqual(acknowledged)
  expect(found).toBeLessThanOrEqual(acknowledged + 1)
  const last = report.at(-1)
  return typeof last === 'number' ? last : found
}

describe('kill -9', () => {
  it('loses no acknowledged write in 200 kills', { timeout: 240_000 }, async () => {
    const halves = await Promise.all([
      killRepeatedly('storage-writer', join(lab.folder, 'one.db'), 100, 1),
      killRepeatedly('storage-writer', join(lab.folder, 'two.db'), 100, 2),
    ])
    for (const acknowledged of halves) expect(acknowledged).toBeGreaterThan(100)
  })

  it('loses no acknowledged change of state in 80 kills', { timeout: 240_000 }, async () => {
    const halves = await Promise.all([
      killRepeatedly('storage-state-writer', join(lab.folder, 'state-one.db'), 40, 4),
      killRepeatedly('storage-state-writer', join(lab.folder, 'state-two.db'), 40, 5),
    ])
    for (const acknowledged of halves) expect(acknowledged).toBeGreaterThan(40)
  })

  it('during creation never stands in the way of the next one', { timeout: 120_000 }, async () => {
    const program = await lab.program('storage-creator')
    const random = seededRandom(3)
    const seen = new Set<string>()
    for (let round = 0; round < 30; round++) {
      const folder = join(lab.folder, `create-${round}`)
      const path = join(folder, 'vault.db')
      mkdirSync(folder, { mode: 0o700 })
      const first = start(process.execPath, [program, path, 'stay'])
      await first.line((line) => line === 'creating')
      await sleep(random() * 12)
      first.child.kill('SIGKILL')
      const killed = await first.ended
      seen.add(killed.lines.includes('created') ? 'complete' : existsSync(path) ? 'unfilled' : 'nothing')
      const second = await start(process.execPath, [program, path]).ended
      await expectCreated(second, killed.lines.includes('created'))
      expect(readdirSync(folder)).toContain('vault.db')
    }
    expect(seen.size).toBeGreaterThan(1)
  })
})

async function expectCreated(second: Awaited<Running['ended']>, already: boolean): Promise<void> {
  // The kill may have come between the commit and the word of it.
  const refused = second.errors.includes('exists already')
  if (already) expect(refused).toBe(true)
  else if (!refused) expect(second).toMatchObject({ code: 0, lines: ['creating', 'created'] })
  else expect(second.errors).toContain('vault_exists')
}
