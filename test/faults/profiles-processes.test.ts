import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { makeLab, type Running, start } from './storage-lab.js'

const lab = makeLab()
afterAll(() => lab.dispose())

/** A process with a handle on the vault, asked one command at a time. */
interface Peer {
  readonly running: Running
  ask(command: string): Promise<string>
  end(): Promise<void>
}

async function peer(path: string): Promise<Peer> {
  const running = start(process.execPath, [await lab.program('profiles-shell'), path])
  await running.line((line) => line === 'ready')
  let answers = 1
  return {
    running,
    async ask(command) {
      const turn = answers++
      running.child.stdin.write(`${command}\n`)
      await running.line(() => running.lines.length > turn)
      return running.lines[turn] ?? ''
    },
    async end() {
      running.child.stdin.end()
      expect((await running.ended).code).toBe(0)
    },
  }
}

const vaultPath = (): string => join(lab.folder, randomUUID(), 'vault.db')

describe('several processes on one vault', () => {
  test('4 processes report 2,000 failures each on one profile, and none is lost', async () => {
    const path = vaultPath()
    const first = await peer(path)
    await first.ask('add a sk-a')
    const peers = await Promise.all([1, 2, 3, 4].map(() => peer(path)))
    const answers = await Promise.all(peers.map((each) => each.ask('failTimes a 2000')))
    expect(answers).toEqual(Array(4).fill('ok undefined'))
    expect(await first.ask('counts a')).toBe('ok {"unknown":8000}')
    expect(await first.ask('check')).toBe('ok []')
    await Promise.all([first, ...peers].map((each) => each.end()))
  }, 180_000)

  test('what one has noted is honoured by another a moment later', async () => {
    const path = vaultPath()
    const one = await peer(path)
    const two = await peer(path)
    await one.ask('add a sk-a')
    await one.ask('add b sk-b')
    expect(await one.ask('note a')).toBe('ok undefined')
    await expect.poll(() => two.ask('resolve')).toBe('ok b')
    await Promise.all([one, two].map((each) => each.end()))
  })

  test('a process that ends without closing its handle still writes down what it noted', async () => {
    const path = vaultPath()
    const one = await peer(path)
    const two = await peer(path)
    await one.ask('add a sk-a')
    one.running.child.stdin.write('leave\n')
    // Node's own: a top-level await that never ends.
    expect((await one.running.ended).code).toBe(13)
    expect(await two.ask('counts a')).toBe('ok {"billing":1}')
    await two.end()
  })

  test('a failure reported by one is honoured by another 50 ms later', async () => {
    const path = vaultPath()
    const one = await peer(path)
    const two = await peer(path)
    await one.ask('add a sk-a')
    await one.ask('add b sk-b')
    await wait(50)
    expect(await two.ask('resolve')).toBe('ok a')
    for (const name of ['a', 'b']) {
      expect(await one.ask(`fail ${name}`)).toBe('ok undefined')
      await wait(50)
      expect(await two.ask('resolve')).toBe(name === 'a' ? 'ok b' : 'error no_usable_profile')
    }
    await Promise.all([one.end(), two.end()])
  })

  test('two that add the same profile at once: one succeeds, the other is told', async () => {
    const path = vaultPath()
    const peers = [await peer(path), await peer(path)]
    const answers = await Promise.all(peers.map((each, index) => each.ask(`add same sk-${index}`)))
    expect(answers.sort()).toEqual(['error profile_exists', 'ok openai:same'])
    await Promise.all(peers.map((each) => each.end()))
  })

  test('a process killed while it saves loses nothing it has acknowledged', async () => {
    const path = vaultPath()
    const acknowledged: string[] = []
    for (let round = 0; round < 25; round += 1) {
      const writer = await peer(path)
      writer.running.child.stdin.write(`saveForEver r${round}\n`)
      // A different number each round, so that the kill hits different instants.
      const last = `saved r${round}-${(round * 7) % 11}`
      await writer.running.line((line) => line === last)
      writer.running.child.kill('SIGKILL')
      const { lines } = await writer.running.ended
      acknowledged.push(
        ...lines.filter((line) => line.startsWith('saved ')).map((line) => line.slice('saved '.length)),
      )
    }
    const reader = await peer(path)
    expect(await reader.ask('check')).toBe('ok []')
    const secrets = JSON.parse((await reader.ask('secrets')).slice('ok '.length)) as Record<string, string>
    for (const name of acknowledged) expect(secrets[name]).toBe(`sk-${name}`)
    expect(acknowledged.length).toBeGreaterThan(100)
    await reader.end()
  }, 120_000)
})
