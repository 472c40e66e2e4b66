import { randomBytes } from 'node:crypto'
import type { StubAccount } from './families.js'

/** A login that waits for a person on another device (RFC 8628). */
export interface DeviceLogin {
  readonly deviceCode: string
  readonly userCode: string
  readonly clientId: string
  readonly scope: string
  readonly expiresAtMs: number
  intervalMs: number
  state: 'pending' | 'approved' | 'denied'
  account: StubAccount | undefined
  lastPollMs: number
}

/** What a poll is answered with. */
export type DevicePoll =
  | { readonly login: DeviceLogin; readonly account: StubAccount }
  | 'authorization_pending'
  | 'slow_down'
  | 'access_denied'
  | 'expired_token'

/** Logins of the device flow. */
export class DeviceLogins {
  readonly all: DeviceLogin[] = []
  readonly #nowMs: () => number

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  begin(clientId: string, scope: string, intervalSeconds: number, lifetimeSeconds: number): DeviceLogin {
    const login: DeviceLogin = {
      deviceCode: randomBytes(16).toString('hex'),
      userCode: `${letters()}-${letters()}`,
      clientId,
      scope,
      expiresAtMs: this.#nowMs() + lifetimeSeconds * 1_000,
      intervalMs: intervalSeconds * 1_000,
      state: 'pending',
      account: undefined,
      lastPollMs: Number.NEGATIVE_INFINITY,
    }
    this.all.push(login)
    return login
  }

  decide(userCode: string, account: StubAccount | undefined): void {
    const login = this.all.find((one) => one.userCode === userCode)
    if (login === undefined) throw new Error(`there is no device login with the code ${userCode}`)
    login.account = account
    login.state = account === undefined ? 'denied' : 'approved'
  }

  poll(deviceCode: string): DevicePoll {
    const login = this.all.find((one) => one.deviceCode === deviceCode)
    const nowMs = this.#nowMs()
    if (login === undefined || nowMs >= login.expiresAtMs) return 'expired_token'
    const early = nowMs - login.lastPollMs < login.intervalMs
    login.lastPollMs = nowMs
    if (early) {
      login.intervalMs += 5_000
      return 'slow_down'
    }
    if (login.state === 'denied') return 'access_denied'
    if (login.account === undefined) return 'authorization_pending'
    return { login, account: login.account }
  }
}

function letters(): string {
  const alphabet = 'BCDFGHJKLMNPQRSTVWXZ'
  return [...randomBytes(4)].map((byte) => alphabet[byte % alphabet.length]).join('')
}
