// A handle on the vault of the tests in a process of its own: one command a line, one answer a line.
import { createInterface } from 'node:readline'
import { isKeymuxError } from '../../../src/domain/errors.js'
import { openSqliteStore } from '../../../src/storage/sqlite/index.js'
import type { FakeClock } from '../../../src/testing/fake-clock.js'
import { openTestHandle } from '../../support/handle.js'

const path = process.argv[2] ?? ''
const systemClock = { now: () => new Date() } as FakeClock
const handle = await openTestHandle({
  store: await openSqliteStore(path, { create: true }),
  clock: systemClock,
})
const { profiles, resolver, vault } = handle

const commands: Record<string, (...words: string[]) => Promise<unknown>> = {
  add: (name = '', secret = '') =>
    profiles.add({ provider: 'openai', name, secret }).then((profile) => profile.id),
  resolve: () => resolver.resolve('openai').then((result) => result.profile.name),
  fail: (name = '', reason = 'rate_limit') => profiles.markFailure(`openai:${name}`, reason as 'rate_limit'),
  note: async (name = '') => profiles.noteFailure(`openai:${name}`, 'billing'),
  // Nothing keeps the process any longer, and nobody closes its handle.
  leave: async () => {
    profiles.noteFailure('openai:a', 'billing')
    process.stdin.destroy()
    await new Promise(() => {})
  },
  failTimes: async (name = '', times = '1') => {
    for (let count = 0; count < Number(times); count += 1)
      await profiles.markFailure(`openai:${name}`, 'unknown')
  },
  // Saves for ever, and tells of each one that has been acknowledged.
  saveForEver: async (prefix = '') => {
    for (let count = 0; ; count += 1) {
      await profiles.add({ provider: 'openai', name: `${prefix}-${count}`, secret: `sk-${prefix}-${count}` })
      process.stdout.write(`saved ${prefix}-${count}\n`)
    }
  },
  counts: (name = '') =>
    profiles.stats(`openai:${name}`).then((stats) => JSON.stringify(stats.failureCounts)),
  check: () => vault.check().then((problems) => JSON.stringify(problems)),
  secrets: async () => {
    const all = await profiles.list()
    return JSON.stringify(Object.fromEntries(all.map((profile) => [profile.name, profile.apiKey?.key])))
  },
}

process.stdout.write('ready\n')
for await (const line of createInterface({ input: process.stdin })) {
  const [command = '', ...words] = line.split(' ')
  try {
    process.stdout.write(`ok ${String(await commands[command]?.(...words))}\n`)
  } catch (error) {
    process.stdout.write(`error ${isKeymuxError(error) ? error.code : String(error)}\n`)
  }
}
await handle.close()
