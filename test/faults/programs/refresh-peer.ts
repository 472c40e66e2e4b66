// A process that renews logins on the vault of the tests: one command a line, one answer a line.
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import { isKeymuxError } from '../../../src/domain/errors.js'
import type { OAuthToken } from '../../../src/domain/profile.js'
import { RefreshLedger } from '../../../src/logins/refresh-ledger.js'
import type { RenewalTiming } from '../../../src/logins/renewal-timing.js'
import { requestToken } from '../../../src/oauth/token-endpoint.js'
import type { Store } from '../../../src/storage/contract.js'
import { openSqliteStore } from '../../../src/storage/sqlite/index.js'
import type { FakeClock } from '../../../src/testing/fake-clock.js'
import { openTestHandle } from '../../support/handle.js'

/** What is switched off, and where the process kills itself. */
export interface PeerOptions {
  readonly lock?: false
  readonly attempts?: false
  readonly dies?: 'before_request' | 'after_answer' | 'before_commit' | 'after_commit'
  readonly timing?: Partial<RenewalTiming>
}

const [path = '', endpoint = '', json = '{}'] = process.argv.slice(2)
const options = JSON.parse(json) as PeerOptions
const die = (): never => {
  process.kill(process.pid, 'SIGKILL')
  throw new Error('unreachable')
}
const dieAt = (place: PeerOptions['dies']): void => {
  if (options.dies === place) die()
}

let answered = false
const refresher = {
  async refreshToken(
    provider: string,
    refreshToken: string,
    call: { signal?: AbortSignal } = {},
  ): Promise<OAuthToken> {
    dieAt('before_request')
    const grant = await requestToken({
      endpoint,
      client: { id: 'stub-client' },
      fields: { grant_type: 'refresh_token', refresh_token: refreshToken },
      signal: call.signal,
      now: () => new Date(),
    })
    dieAt('after_answer')
    answered = true
    return { provider, expiresAt: new Date(Date.now() + 3_600_000), ...grant }
  },
}

const inner = await openSqliteStore(path, { create: true })
const store: Store = {
  kind: inner.kind,
  location: inner.location,
  file: inner.file,
  locks: options.lock === false ? { acquire: async () => ({ release: async () => {} }) } : inner.locks,
  read: (body) => inner.read(body),
  write: async (body) => {
    const result = await inner.write(async (tx) => {
      const value = await body(tx)
      if (answered) dieAt('before_commit')
      return value
    })
    if (answered) dieAt('after_commit')
    return result
  },
  writeState: (batch) => inner.writeState(batch),
  hasForeignChanges: () => inner.hasForeignChanges(),
  integrityProblems: () => inner.integrityProblems(),
  close: () => inner.close(),
}
const systemClock = { now: () => new Date() } as FakeClock
const handle = await openTestHandle({
  store,
  clock: systemClock,
  refresher,
  ...(options.timing === undefined ? {} : { timing: options.timing }),
})
const { resolver, renewer } = handle
if (options.attempts === false) {
  const { begin } = RefreshLedger.prototype
  RefreshLedger.prototype.begin = function (id, seen, how) {
    return begin.call(this, id, seen, { ...how, waited: true })
  }
}

let trouble = 0
/** Asks for the tokens of both accounts for so many milliseconds. */
async function work(ms: number): Promise<string> {
  const end = performance.now() + ms
  while (performance.now() < end) {
    for (const name of ['a', 'b']) {
      await resolver.resolve('gemini', name, { strict: true }).catch(() => {
        trouble += 1
      })
    }
    await wait(10 + Math.random() * 60)
  }
  return `worked ${trouble}`
}

const commands: Record<string, (...words: string[]) => Promise<unknown>> = {
  token: (name = '') =>
    resolver.resolve('gemini', name, { strict: true }).then((result) => result.credential),
  work: (ms = '0') => work(Number(ms)),
  /** Waits for a renewal under way, in whatever process. */
  settle: (name = '') => renewer?.exclusively(`gemini:${name}`, 10_000, async () => {}) ?? Promise.resolve(),
  valid: (name = '') =>
    renewer?.getValidToken(`gemini:${name}`).then((oauth) => oauth.accessToken) ?? Promise.resolve(),
  renew: (name = '') =>
    renewer?.renew(`gemini:${name}`).then((oauth) => oauth.accessToken) ?? Promise.resolve(),
}

process.stdout.write('ready\n')
for await (const line of createInterface({ input: process.stdin })) {
  const [command = '', ...words] = line.split(' ')
  try {
    process.stdout.write(`ok ${String(await commands[command]?.(...words))}\n`)
  } catch (error) {
    process.stdout.write(`error ${isKeymuxError(error) ? `${error.code} ${error.message}` : String(error)}\n`)
  }
}
await handle.close()
