import { withoutUndefined } from '../domain/defined.js'
import { KeymuxError, NoUsableProfileError } from '../domain/errors.js'
import type { CallOptions } from '../domain/ports.js'
import { shownReference } from '../domain/profile.js'
import type { ProfileView } from '../domain/profiles.js'
import type { CredentialResolver } from '../domain/resolver.js'
import { formatTime } from '../domain/rfc3339.js'
import type { ProfileTestResult, ToolManager } from '../domain/tools.js'
import { servableUntil } from '../policy/refresh-due.js'
import { oneLine } from './tool-failure.js'

/** What testing needs. */
export interface TestParts {
  readonly manager: ToolManager
  readonly resolver: Pick<CredentialResolver, 'resolve'>
  readonly now: Date
}

/**
 * Tells whether a profile's credential works as far as that can be told without asking the provider: it is
 * there, can be read (references included) and has not expired for good.
 */
export async function testProfile(
  id: string,
  { manager, resolver, now }: TestParts,
  options: CallOptions,
): Promise<ProfileTestResult> {
  const view = await manager.view(id, options)
  const problem = problemOf(view, now, forAgents) ?? (await readingProblem(view, manager, resolver, options))
  const leftMs = view.expiresAt === undefined ? 0 : view.expiresAt.getTime() - now.getTime()
  return withoutUndefined({
    success: true,
    valid: view.valid && problem === undefined,
    expired: view.expired || undefined,
    email: view.email,
    expires_in: leftMs > 0 ? leftMs : undefined,
    state: view.state,
    unusable_until: view.unusableUntil && formatTime(view.unusableUntil),
    unusable_reason: view.unusableReason,
    error: problem && oneLine(problem.message),
    code: problem?.code,
    hint: problem?.hint,
  })
}

/** What to do about a profile that does not work, as phrases. */
export interface Remedies {
  readonly enable: string
  readonly replace: string
}

const forAgents: Remedies = { enable: 'enable it', replace: 'add it again with replace: true' }

/**
 * What the profile's state says against it at `now`. A profile that waits for a window to end is sound; one that
 * has expired and whose renewal failed is not.
 */
export function problemOf(view: ProfileView, now: Date, remedies: Remedies): KeymuxError | undefined {
  if (view.state === 'off') return failed(`${view.id} is switched off`, remedies.enable)
  if (view.loginNeeded === true) return failed(`${view.id} needs a login`, `run keymux login ${view.id}`)
  if (view.state === 'invalid') return failed(`${view.id} has no credential`, remedies.replace)
  if (view.state === 'expired') {
    const login = view.renewalHint ?? `run keymux login ${view.id}`
    const since = view.expiresAt === undefined ? '' : ` at ${formatTime(view.expiresAt)}`
    const hint = view.mode === 'oauth' ? login : remedies.replace
    return failed(`${view.id} expired${since} and cannot be renewed`, hint)
  }
  if (view.renewal === undefined || isServable(view, now)) return undefined
  const { reason, retryAt } = view.renewal
  const next =
    retryAt > now ? `it is tried again at ${formatTime(retryAt)}` : 'it is tried again with its next use'
  return failed(`${view.id} has expired, and its renewal failed (${reason})`, view.renewalHint ?? next)
}

function isServable({ expiresAt, expired }: ProfileView, now: Date): boolean {
  return !expired || (expiresAt !== undefined && now < servableUntil(expiresAt, undefined))
}

/** Opens the credential, without counting that as a use where it lies in the profile itself. */
async function readingProblem(
  view: ProfileView,
  manager: ToolManager,
  resolver: Pick<CredentialResolver, 'resolve'>,
  options: CallOptions,
): Promise<KeymuxError | undefined> {
  try {
    if (view.reference === undefined) await openStored(view, manager, options)
    else if (view.state === 'available')
      await resolver.resolve(view.provider, view.name, { ...options, strict: true })
    return undefined
  } catch (error) {
    if (!(error instanceof KeymuxError) || error.code === 'vault_locked') throw error
    return error instanceof NoUsableProfileError ? unreadable(view, error) : error
  }
}

async function openStored(view: ProfileView, manager: ToolManager, options: CallOptions): Promise<void> {
  const profile = await manager.get(view.id, options)
  const secrets = [
    profile?.apiKey?.key,
    profile?.token?.token,
    profile?.oauth?.accessToken,
    profile?.oauth?.refreshToken,
  ]
  if (!secrets.some((secret) => secret !== undefined && secret !== '')) {
    throw failed(`${view.id} has no credential`, forAgents.replace)
  }
}

/** The resolver passed it over: because its reference gave nothing, or because it began to wait meanwhile. */
function unreadable(view: ProfileView, { reasons }: NoUsableProfileError): KeymuxError | undefined {
  const [reason] = reasons
  if (reason !== undefined && reason.state !== 'failed') return undefined
  const shown = view.reference === undefined ? undefined : shownReference(view.reference)
  return new KeymuxError(
    'reference_unresolved',
    `${view.id} reads its secret from ${shown}, which gives none`,
    {
      hint: 'set it, or add the profile again with replace: true',
    },
  )
}

function failed(message: string, hint: string): KeymuxError {
  return new KeymuxError('test_failed', message, { hint })
}
