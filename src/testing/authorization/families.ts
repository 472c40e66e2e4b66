import { randomBytes } from 'node:crypto'

/** An account that people log in with. */
export interface StubAccount {
  /** The `sub` of its identity tokens. */
  readonly subject: string
  readonly email: string
  /** Its name at the provider, as GitHub's userinfo gives it. */
  readonly login?: string
}

/** Tokens as the server gives them out. */
export interface IssuedTokens {
  readonly accessToken: string
  readonly refreshToken: string
  readonly expiresInSeconds: number
}

/** All tokens that came from one login. */
export interface TokenFamily {
  readonly id: string
  readonly account: StubAccount
  readonly clientId: string
  readonly scope: string
  /** The refresh token that is good now. */
  refreshToken: string
  accessToken: string
  /** How often it was renewed. */
  renewals: number
  /** How often a spent refresh token was sent again. */
  reuses: number
  revoked: boolean
}

/** How refresh tokens behave. */
export interface FamilyRules {
  /** A renewal gives a new refresh token and spends the old one. */
  readonly rotate: boolean
  /** A spent refresh token that comes again revokes its whole family (RFC 9700 section 4.14.2). */
  readonly detectReuse: boolean
  readonly accessTokenSeconds: number
}

/** The memory of an authorization server: who was given what, and what of it is still good. */
export class TokenFamilies {
  readonly all: TokenFamily[] = []
  readonly #rules: FamilyRules
  readonly #byRefreshToken = new Map<string, TokenFamily>()
  readonly #byAccessToken = new Map<string, TokenFamily>()

  constructor(rules: FamilyRules) {
    this.#rules = rules
  }

  /** Begins a family: a login. */
  issue(account: StubAccount, clientId: string, scope: string): IssuedTokens {
    const family: TokenFamily = {
      id: `family-${this.all.length + 1}`,
      account,
      clientId,
      scope,
      refreshToken: '',
      accessToken: '',
      renewals: 0,
      reuses: 0,
      revoked: false,
    }
    this.all.push(family)
    return this.#give(family)
  }

  /** The next tokens of a family, or `undefined` when the refresh token is not good (any more). */
  renew(refreshToken: string): { readonly family: TokenFamily; readonly tokens: IssuedTokens } | undefined {
    const family = this.#byRefreshToken.get(refreshToken)
    if (family === undefined) return undefined
    if (family.refreshToken !== refreshToken) {
      family.reuses += 1
      if (this.#rules.detectReuse) family.revoked = true
    }
    if (family.revoked || family.refreshToken !== refreshToken) return undefined
    family.renewals += 1
    return { family, tokens: this.#give(family) }
  }

  /** Ends the family of a token of either kind (RFC 7009). */
  revoke(token: string): void {
    const family = this.familyOf(token)
    if (family !== undefined) family.revoked = true
  }

  familyOf(token: string): TokenFamily | undefined {
    return this.#byRefreshToken.get(token) ?? this.#byAccessToken.get(token)
  }

  #give(family: TokenFamily): IssuedTokens {
    family.accessToken = `stub-at-${randomBytes(12).toString('hex')}`
    this.#byAccessToken.set(family.accessToken, family)
    if (family.refreshToken === '' || this.#rules.rotate) {
      family.refreshToken = `stub-rt-${randomBytes(12).toString('hex')}`
      this.#byRefreshToken.set(family.refreshToken, family)
    }
    return {
      accessToken: family.accessToken,
      refreshToken: family.refreshToken,
      expiresInSeconds: this.#rules.accessTokenSeconds,
    }
  }
}
