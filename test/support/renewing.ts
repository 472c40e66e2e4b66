import type { OAuthTokenRefresher } from '../../src/domain/ports.js'
import type { OAuthCredential, OAuthToken } from '../../src/domain/profile.js'
import type { Renewer } from '../../src/logins/renewal.js'
import { OAuthError } from '../../src/oauth/errors.js'
import type { Store } from '../../src/storage/contract.js'
import { createMemoryStore } from '../../src/storage/memory/index.js'
import type { SpillFiles } from '../../src/vault/unsaved-tokens.js'
import type { TestHandle, TestOptions } from './handle.js'
import { openTestHandle } from './handle.js'

const HOUR_MS = 3_600_000
/** The login that {@link openRenewing} makes. */
export const ID = 'gemini:me'

type Answer = Partial<OAuthToken> | Error
/** What a refresher says, turn by turn. */
export type Answers = readonly (Answer | (() => Answer | Promise<Answer>))[]

/** A refresher that writes down what it was sent. */
export interface ScriptedRefresher extends OAuthTokenRefresher {
  readonly sent: string[]
}

/** A handle, and its parts. */
export interface Renewing extends Pick<TestHandle, 'profiles' | 'clock' | 'resolver'> {
  readonly handle: TestHandle
  readonly renewer: Renewer
  readonly refresher: ScriptedRefresher
  /** What the vault holds of {@link ID}. */
  stored(): Promise<Partial<OAuthCredential>>
}

/** A vault that can be made to take nothing. */
export interface BreakingPlace {
  /** Writes fail while `broken`. */
  readonly state: { broken: boolean }
  readonly files: Map<string, Uint8Array>
  readonly spill: SpillFiles
  /** Another handle's store on the same vault. */
  connect(): Store
}

/** A refresher that gives these answers in turn, then `at-N` for ever. */
export function refresherOf(answers: Answers = []): ScriptedRefresher {
  const sent: string[] = []
  return {
    sent,
    async refreshToken(provider: string, refreshToken: string): Promise<OAuthToken> {
      sent.push(refreshToken)
      const number = sent.length
      const given = answers[number - 1]
      const answer = typeof given === 'function' ? await given() : given
      if (answer instanceof Error) throw answer
      return {
        provider,
        accessToken: `at-${number + 1}`,
        refreshToken: `rt-${number + 1}`,
        expiresAt: new Date('2027-01-01T00:00:00Z'),
        ...answer,
      }
    },
  }
}

/** A handle with a renewer, and the login {@link ID} whose token ends in `leftMs`. To be closed. */
export async function openRenewing(
  answers: Answers = [],
  options: TestOptions = {},
  leftMs = -60_000,
): Promise<Renewing> {
  const refresher = refresherOf(answers)
  const handle = await openTestHandle({ refresher, ...options })
  const { profiles, clock, renewer } = handle
  if (renewer === undefined) throw new Error('there is no renewer')
  if ((await profiles.get(ID)) === undefined) {
    await profiles.add({
      provider: 'gemini',
      name: 'me',
      oauth: {
        accessToken: 'at-1',
        refreshToken: 'rt-1',
        issuedAt: new Date(clock.now().getTime() + leftMs - HOUR_MS),
        expiresAt: new Date(clock.now().getTime() + leftMs),
        email: 'me@x.com',
      },
    })
  }
  const stored = async () => ({ ...(await profiles.get(ID))?.oauth })
  return { handle, profiles, clock, renewer, refresher, stored, resolver: handle.resolver }
}

/** How a renewal fails. */
export function failure(
  reason: OAuthError['failure']['reason'],
  delivery: OAuthError['failure']['delivery'],
  more: Partial<OAuthError['failure']> = {},
): OAuthError {
  return new OAuthError('refresh_failed', 'it failed', { reason, delivery, ...more })
}

/** A store whose writes fail while `state.broken`; the files of spilled tokens in memory. */
export function breakingPlace(): BreakingPlace {
  const memory = createMemoryStore()
  const state = { broken: false }
  const connect = (): Store => {
    const inner = memory.connect()
    const write: Store['write'] = (body) =>
      state.broken ? Promise.reject(new Error('disk full')) : inner.write(body)
    return Object.assign(Object.create(inner) as Store, {
      kind: inner.kind,
      location: inner.location,
      locks: inner.locks,
      read: (body: Parameters<Store['read']>[0]) => inner.read(body),
      hasForeignChanges: () => inner.hasForeignChanges(),
      close: () => inner.close(),
      write,
    })
  }
  const files = new Map<string, Uint8Array>()
  const spill: SpillFiles = {
    write: async (name, bytes) => void files.set(name, bytes),
    read: async (name) => files.get(name),
    remove: async (name) => void files.delete(name),
  }
  return { connect, state, files, spill }
}
