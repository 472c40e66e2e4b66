import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SqliteLocks } from '../storage/sqlite/index.js'
import { type Exclusively, PinFiles } from './pin-file.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keymux-pins-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const alone: Exclusively = (_name, body) => body()

/** As two processes that share a folder would: each with locks of its own. */
const locked = (): Exclusively => async (name, body) => {
  const lock = await new SqliteLocks(join(folder, 'locks')).acquire(name, { timeoutMs: 10_000 })
  try {
    await body()
  } finally {
    await lock?.release()
  }
}

const higher =
  (mine: number) =>
  (present: string | undefined): string | undefined =>
    Number(present ?? 0) > mine ? undefined : String(mine)

describe('a file that remembers a position', () => {
  it('is kept for its owner alone and replaced as a whole', async () => {
    const pins = new PinFiles(folder, alone)
    expect(await pins.read('v')).toBeUndefined()
    await pins.update('v', () => 'one')
    await pins.update('v', (present) => `${present?.trim()} two`)
    expect(await pins.read('v')).toBe('one two\n')
    const path = join(folder, 'pins', 'v')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(folder, 'pins')).mode & 0o777).toBe(0o700)
    expect(readdirSync(join(folder, 'pins'))).toEqual(['v'])
  })

  it('is left alone, and locks nothing, where there is nothing to write', async () => {
    const pins = new PinFiles(folder, async () => {
      throw new Error('locked')
    })
    await pins.update('v', () => undefined)
    expect(readdirSync(folder)).toEqual([])
  })

  it('never goes back, however many write at once', async () => {
    const writers = Array.from({ length: 16 }, () => new PinFiles(folder, locked()))
    let highest = 0
    await Promise.all(
      writers.map(async (pins, index) => {
        for (let step = 0; step < 10; step++) {
          const mine = step * 16 + ((index * 7) % 16)
          await pins.update('v', higher(mine))
          highest = Math.max(highest, mine)
          expect(Number(await pins.read('v'))).toBeGreaterThanOrEqual(mine)
        }
      }),
    )
    expect(Number(readFileSync(join(folder, 'pins', 'v'), 'utf8'))).toBe(highest)
  }, 30_000)

  it('leaves no temporary file behind when it cannot be put in place', async () => {
    mkdirSync(join(folder, 'pins', 'v'), { recursive: true })
    const pins = new PinFiles(folder, alone)
    await expect(pins.update('v', () => 'one')).rejects.toThrow()
    expect(readdirSync(join(folder, 'pins'))).toEqual(['v'])
  })
})
