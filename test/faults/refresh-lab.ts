import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { expect } from 'vitest'
import type { OAuthCredential } from '../../src/domain/profile.js'
import { openSqliteStore } from '../../src/storage/sqlite/index.js'
import type { FakeClock } from '../../src/testing/fake-clock.js'
import type { StubAuthorizationServer } from '../../src/testing/stub-authorization-server.js'
import type { TestHandle } from '../support/handle.js'
import { openTestHandle } from '../support/handle.js'
import type { PeerOptions } from './programs/refresh-peer.js'
import type { Lab, Running } from './storage-lab.js'
import { start } from './storage-lab.js'

/** A process that renews, asked one command at a time. */
export interface RefreshPeer {
  readonly running: Running
  ask(command: string): Promise<string>
  end(): Promise<void>
}

/** A vault with logins at the stub, seen by this process and by others. */
export interface RefreshPlace {
  readonly path: string
  readonly handle: TestHandle
  peer(options?: PeerOptions): Promise<RefreshPeer>
  /** Adds a profile of a new login; its access token ends in `expiresInMs`. */
  logIn(name: string, expiresInMs: number, subject?: string): Promise<void>
  /** Makes the access token end in `expiresInMs`, and waits until every process can have noticed. */
  expire(name: string, expiresInMs?: number): Promise<void>
  stored(name: string): Promise<OAuthCredential>
}

/** How long a process may not notice what another one has written, in milliseconds. */
const NOTICED_AFTER_MS = 60

export async function makePlace(lab: Lab, server: StubAuthorizationServer): Promise<RefreshPlace> {
  const path = join(lab.folder, randomUUID(), 'vault.db')
  const store = await openSqliteStore(path, { create: true })
  const systemClock = { now: () => new Date() } as FakeClock
  const handle = await openTestHandle({ store, clock: systemClock })
  const stored = async (name: string): Promise<OAuthCredential> => {
    await wait(NOTICED_AFTER_MS)
    const oauth = (await handle.profiles.get(`gemini:${name}`))?.oauth
    if (oauth === undefined) throw new Error(`gemini:${name} has no login`)
    return { ...oauth }
  }
  return {
    path,
    handle,
    stored,
    async peer(options = {}) {
      const program = await lab.program('refresh-peer')
      const args = [program, path, `${server.url}/token`, JSON.stringify(options)]
      const running = start(process.execPath, args)
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
          const { code, errors } = await running.ended
          expect({ code, errors }).toEqual({ code: 0, errors: '' })
        },
      }
    },
    async logIn(name, expiresInMs, subject = name) {
      const tokens = server.issue({ subject, email: `${subject}@example.com` })
      const now = Date.now()
      await handle.profiles.add({
        provider: 'gemini',
        name,
        oauth: {
          accessToken: tokens.accessToken,
          refreshToken: tokens.refreshToken,
          issuedAt: new Date(now + expiresInMs - 3_600_000),
          expiresAt: new Date(now + expiresInMs),
        },
      })
      await wait(NOTICED_AFTER_MS)
    },
    async expire(name, expiresInMs = -1_000) {
      const profile = await handle.profiles.get(`gemini:${name}`)
      if (profile?.oauth === undefined) throw new Error(`gemini:${name} has no login`)
      const expiresAt = new Date(Date.now() + expiresInMs)
      await handle.profiles.save({ ...profile, oauth: { ...profile.oauth, expiresAt } })
      await wait(NOTICED_AFTER_MS)
    },
  }
}
