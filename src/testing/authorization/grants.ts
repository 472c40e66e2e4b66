import { createHash, randomBytes } from 'node:crypto'
import type { DeviceLogins } from './device.js'
import type { IssuedTokens, StubAccount, TokenFamilies } from './families.js'

const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

interface Code {
  readonly clientId: string
  readonly redirectUri: string
  readonly challenge: string | undefined
  readonly scope: string
  readonly nonce: string | undefined
  readonly account: StubAccount
}

/** What grants depend on. */
export interface GrantRules {
  readonly families: TokenFamilies
  readonly devices: DeviceLogins
  readonly issuer: () => string
  readonly nowMs: () => number
  /** Whether answers say in an identity token whose they are. */
  readonly namesAccount: () => boolean
}

/** Gives tokens for codes, device codes and refresh tokens. */
export class Grants {
  readonly #rules: GrantRules
  readonly #codes = new Map<string, Code>()

  constructor(rules: GrantRules) {
    this.#rules = rules
  }

  /** A code for an account that has agreed to an authorization request. */
  codeFor(account: StubAccount, fields: Readonly<Record<string, string>>, clientId: string): string {
    const code = randomBytes(12).toString('hex')
    this.#codes.set(code, {
      clientId,
      redirectUri: fields.redirect_uri ?? '',
      challenge: fields.code_challenge,
      scope: fields.scope ?? '',
      nonce: fields.nonce,
      account,
    })
    return code
  }

  /** What the token endpoint answers. */
  answerTo(fields: Readonly<Record<string, string>>): { status: number; body: object } {
    switch (fields.grant_type) {
      case 'refresh_token': {
        const renewed = this.#rules.families.renew(fields.refresh_token ?? '')
        if (renewed === undefined) return refused('invalid_grant')
        return { status: 200, body: this.#answer(renewed.tokens, renewed.family) }
      }
      case 'authorization_code': {
        const code = this.#codes.get(fields.code ?? '')
        this.#codes.delete(fields.code ?? '')
        if (code === undefined || !proves(code, fields)) return refused('invalid_grant')
        const tokens = this.#rules.families.issue(code.account, code.clientId, code.scope)
        return { status: 200, body: this.#answer(tokens, code) }
      }
      case DEVICE_GRANT: {
        const polled = this.#rules.devices.poll(fields.device_code ?? '')
        if (typeof polled === 'string') return refused(polled)
        const { clientId, scope } = polled.login
        const tokens = this.#rules.families.issue(polled.account, clientId, scope)
        return { status: 200, body: this.#answer(tokens, { clientId, scope, account: polled.account }) }
      }
      default:
        return refused('unsupported_grant_type')
    }
  }

  #answer(
    tokens: IssuedTokens,
    { clientId, scope, account, nonce }: Pick<Code, 'clientId' | 'scope' | 'account'> & Partial<Code>,
  ): object {
    return {
      access_token: tokens.accessToken,
      refresh_token: tokens.refreshToken,
      token_type: 'Bearer',
      expires_in: tokens.expiresInSeconds,
      scope,
      ...(this.#rules.namesAccount() ? { id_token: this.#idToken(account, clientId, nonce) } : {}),
    }
  }

  /** Unsigned: it travels on the connection to its issuer (OpenID Connect Core 3.1.3.7). */
  #idToken({ subject, email }: StubAccount, clientId: string, nonce: string | undefined): string {
    const seconds = Math.floor(this.#rules.nowMs() / 1_000)
    const claims = {
      iss: this.#rules.issuer(),
      sub: subject,
      aud: clientId,
      email,
      iat: seconds,
      exp: seconds + 300,
      nonce,
    }
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    return `${part({ alg: 'none' })}.${part(claims)}.`
  }
}

function proves(code: Code, fields: Readonly<Record<string, string>>): boolean {
  const challenge = createHash('sha256')
    .update(fields.code_verifier ?? '')
    .digest('base64url')
  const rightClient = code.clientId === fields.client_id && code.redirectUri === fields.redirect_uri
  return rightClient && (code.challenge === undefined || code.challenge === challenge)
}

function refused(error: string): { status: number; body: object } {
  return { status: 400, body: { error } }
}
