import { createHash } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { RefreshLedger } from '../../src/logins/refresh-ledger.js'
import { startStubAuthorizationServer } from '../../src/testing/stub-authorization-server.js'
import type { RefreshPeer } from './refresh-lab.js'
import { makePlace } from './refresh-lab.js'
import { makeLab, seededRandom } from './storage-lab.js'

const PROCESSES = 16
/** A minute in a thorough run: SOAK_SECONDS=60. */
const SECONDS = Number(process.env.SOAK_SECONDS ?? 8)
const PHASE_MS = 4_000
const timing = { requestMs: 800, hardDeadlineMs: 1_000, lockWaitMs: 4_000 }

const lab = makeLab()
afterAll(() => lab.dispose())

test(
  `${PROCESSES} processes, tokens of 2 s, random kills for ${SECONDS} s: the vault holds the server's tokens`,
  async () => {
    const random = seededRandom(20_260_101)
    await using server = await startStubAuthorizationServer({ accessTokenSeconds: 2, delayMs: 120 })
    const place = await makePlace(lab, server)
    const familyOf = new Map<string, number>()
    const logIn = async (name: string): Promise<void> => {
      familyOf.set(name, server.families.length)
      if ((await place.handle.profiles.get(`gemini:${name}`)) !== undefined)
        await place.handle.profiles.delete(`gemini:${name}`)
      await place.logIn(name, 2_000)
    }
    await logIn('a')
    await logIn('b')
    const start = (): Promise<RefreshPeer> => place.peer({ timing })
    const peers = await Promise.all(Array.from({ length: PROCESSES }, start))
    const tally = { kills: 0, quietPoints: 0, unknownOutcomes: 0 }

    const phase = async (): Promise<void> => {
      const end = performance.now() + PHASE_MS
      const left = (): number => Math.max(0, Math.round(end - performance.now()))
      const working = new Map(peers.map((peer, index) => [index, peer.ask(`work ${left()}`).catch(() => '')]))
      const starting = new Set<number>()
      while (left() > 500) {
        await wait(50 + random() * 150)
        const index = Math.floor(random() * PROCESSES)
        // One that is being started is left alone.
        if (starting.has(index)) continue
        peers[index]?.running.child.kill('SIGKILL')
        tally.kills += 1
        starting.add(index)
        working.set(
          index,
          start().then((fresh) => {
            peers[index] = fresh
            starting.delete(index)
            return fresh.ask(`work ${left()}`).catch(() => '')
          }),
        )
      }
      await Promise.all(working.values())
      for (let times = 0; times < 2; times += 1) {
        for (const name of ['a', 'b']) await peers[0]?.ask(`settle ${name}`)
        await wait(300)
      }
    }

    const started = performance.now()
    while (performance.now() - started < SECONDS * 1_000) {
      await phase()
      for (const [name, index] of familyOf) {
        tally.quietPoints += 1
        const stored = await place.stored(name)
        const family = server.families[index]
        expect(family?.account.subject).toBe(name)
        expect(stored.refreshToken).toMatch(/^stub-rt-/)
        if (stored.refreshToken === family?.refreshToken && family.revoked === false) continue
        // Only a process that died between the server's commit and its own can have lost tokens.
        const digest = createHash('sha256').update(stored.refreshToken).digest('hex')
        const attempt = new RefreshLedger(place.handle.profiles.native.refreshes).attemptOf(`gemini:${name}`)
        expect(stored.loginNeeded === true || attempt?.digest === digest).toBe(true)
        tally.unknownOutcomes += 1
        await logIn(name)
      }
    }
    expect(tally.kills).toBeGreaterThan(SECONDS / 2)
    expect(tally.unknownOutcomes).toBeLessThanOrEqual(tally.kills)
    // A spent token is sent again only after its sender has died without a word.
    const reuses = server.families.reduce((sum, family) => sum + family.reuses, 0)
    expect(reuses).toBeLessThanOrEqual(tally.kills)
    expect(server.renewals.length).toBeLessThanOrEqual(
      server.families.reduce((sum, family) => sum + family.renewals, 0) + reuses + tally.kills,
    )
    const renewals = server.families.reduce((sum, family) => sum + family.renewals, 0)
    expect(renewals).toBeGreaterThan(SECONDS / 4)
    if (process.env.SOAK_SECONDS !== undefined)
      console.log(JSON.stringify({ ...tally, reuses, renewals, requests: server.renewals.length }))
    expect(await place.handle.vault.check()).toEqual([])
    await Promise.all(peers.map((peer) => peer.end()))
    await place.handle.close()
  },
  (SECONDS + 120) * 1_000,
)
