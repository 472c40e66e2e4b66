import type { CandidateReason, ErrorCode } from '../domain/errors.js'
import { KeymuxError, NoUsableProfileError } from '../domain/errors.js'
import type { CallOptions, ProfileResolutionResult, Resolution } from '../domain/ports.js'
import type { CredentialResolver, ResolveOptions } from '../domain/resolver.js'

/** Resolves several providers at once. */
export class MultiResolver {
  readonly #resolver: Pick<CredentialResolver, 'resolve'>

  constructor(resolver: Pick<CredentialResolver, 'resolve'>) {
    this.#resolver = resolver
  }

  /**
   * One result per provider, in parallel. A provider that fails carries its `error` and does not disturb
   * the others; only an abort rejects as a whole.
   */
  async resolveAll(
    providers: readonly string[],
    options: CallOptions = {},
  ): Promise<Record<string, ProfileResolutionResult>> {
    const results: Record<string, ProfileResolutionResult> = Object.create(null)
    await Promise.all(
      [...new Set(providers)].map(async (provider) => {
        results[provider] = await this.#one(provider, options)
      }),
    )
    return results
  }

  async #one(provider: string, options: CallOptions): Promise<ProfileResolutionResult> {
    try {
      return await this.#resolver.resolve(provider, undefined, { ...options })
    } catch (error) {
      if (!(error instanceof KeymuxError)) throw error
      const attemptedProfiles = error instanceof NoUsableProfileError ? error.attemptedProfiles : []
      return { credential: '', provider, error, attemptedProfiles }
    }
  }
}

/** What no other member makes up for: a mistyped name would use somebody else's account without a word. */
const DECISIVE: ReadonlySet<string> = new Set<ErrorCode>(['vault_locked', 'profile_not_found'])

/** Providers in order: the first that can give a credential does. */
export class FallbackChain {
  readonly #resolver: Pick<CredentialResolver, 'resolve'>
  readonly #members: readonly string[]

  /** @param members `provider` or `provider:name`; a named member goes first within its provider. */
  constructor(resolver: Pick<CredentialResolver, 'resolve'>, ...members: string[]) {
    this.#resolver = resolver
    this.#members = members
  }

  /**
   * The first member's credential that can be had.
   *
   * @throws KeymuxError `profile_not_found` for a member that names a profile that is not there
   * @throws NoUsableProfileError listing every member's own error as the cause (an `AggregateError`), with
   * the soonest time of all
   */
  async resolve(options: ResolveOptions = {}): Promise<Resolution> {
    const errors: KeymuxError[] = []
    let { pool } = options
    for (const member of this.#members) {
      try {
        return await this.#one(member, { ...options, pool })
      } catch (error) {
        if (!(error instanceof KeymuxError) || DECISIVE.has(error.code)) throw error
        // The pool of the member that came first is that of the whole chain.
        if (error instanceof NoUsableProfileError && pool === undefined) pool = error.pool
        errors.push(error)
      }
    }
    throw exhausted(this.#members, errors)
  }

  #one(member: string, options: ResolveOptions): Promise<Resolution> {
    const colon = member.lastIndexOf(':')
    if (colon < 0) return this.#resolver.resolve(member, undefined, { ...options })
    return this.#resolver.resolve(member.slice(0, colon), member.slice(colon + 1), { ...options })
  }
}

function exhausted(members: readonly string[], errors: readonly KeymuxError[]): KeymuxError {
  const [only] = errors
  if (errors.length === 1 && only !== undefined) return only
  const unusable = errors.filter((error) => error instanceof NoUsableProfileError)
  const reasons: CandidateReason[] = unusable.flatMap((error) => [...error.reasons])
  const times = unusable.flatMap((error) => (error.retryAt === undefined ? [] : [error.retryAt.getTime()]))
  const details = {
    attemptedProfiles: unusable.flatMap((error) => [...error.attemptedProfiles]),
    reasons,
    ...(times.length === 0 ? {} : { retryAt: new Date(Math.min(...times)) }),
  }
  const each = errors.map((error) => error.message).join('; ')
  return new NoUsableProfileError(
    members.join(','),
    details,
    errors.length === 0 ? 'the chain is empty' : `no member of the chain can serve: ${each}`,
    { hint: 'see keymux status', cause: new AggregateError(errors) },
  )
}
