import { printable } from '../../../domain/printable.js'
import type { ProfileView } from '../../../domain/profiles.js'
import type { QuotaWindow } from '../../../domain/quota.js'
import { pad } from '../width.js'
import { certaintyWords, modelReason } from './evidence.js'
import type { RenderOptions } from './list.js'
import { quotaName, resetWords, usedWords } from './quota.js'
import { expiryWords, statePaint, stateWords } from './state.js'
import { formatAgo, formatLocal, formatUntil } from './time.js'

/** `keymux show` for people: everything that is known of one profile but its secrets. */
export function renderShow(view: ProfileView, options: RenderOptions): string {
  const { style, now } = options
  const facts: (readonly [string, string | undefined])[] = [
    ['mode', view.mode],
    ['state', statePaint(view, style)(stateWords(view))],
    ['usable again', view.unusableUntil && formatUntil(view.unusableUntil, now)],
    ['because of', view.unusableReason],
    ['which is', certaintyWords(view, now)],
    ['priority', String(view.priority)],
    ['e-mail', shown(view.email)],
    ['account', shown(view.account)],
    ['models', shown(view.models?.join(', '))],
    ['base URL', shown(view.baseUrl)],
    ['pool', shown(view.pool)],
    ['concurrency', view.concurrency === undefined ? undefined : String(view.concurrency)],
    ['weight', view.weight === undefined ? undefined : String(view.weight)],
    ['headers', shown(view.headers && headerLines(view.headers))],
    ['proxy', shown(view.proxy)],
    ['reference', shown(view.reference)],
    [view.expiresAt !== undefined && view.expiresAt <= now ? 'expired' : 'expires', expiryWords(view, now)],
    ['renewable', view.renewable === undefined ? undefined : yesNo(view.renewable)],
    ['renewal', renewal(view, now)],
    ['to do', shown(view.renewalHint)],
    ['generation', view.generation === undefined ? undefined : String(view.generation)],
    ['login', view.loginNeeded === true ? `needed: keymux login ${printable(view.id)}` : undefined],
    ['scopes', shown(view.scopes?.join(' '))],
    ['last used', view.lastUsedAt && formatAgo(view.lastUsedAt, now)],
    ['last good', view.lastGood ? 'yes' : undefined],
    ['failures', failures(view)],
    ['last error', view.lastError && `${printable(view.lastError)}${at(view.lastErrorAt, now)}`],
    ['added', formatLocal(view.createdAt)],
    ['changed', formatLocal(view.updatedAt)],
    ...view.modelCooldowns.map(
      ({ model, until, reason, certainty }) =>
        [
          `model ${printable(model)}`,
          `cooling, back ${formatUntil(until, now)} (${modelReason(reason, certainty)})`,
        ] as const,
    ),
    ...(view.quota ?? []).map(
      (window) => [`limit ${printable(quotaName(window))}`, quotaFact(window, now)] as const,
    ),
    ...(view.behind ?? []).map(
      ({ model, until }) =>
        [
          model === '' ? 'no model' : `model ${printable(model)}`,
          `after others until ${formatUntil(until, now)} (an answer broke off)`,
        ] as const,
    ),
  ]
  const known = facts.filter(
    (fact): fact is readonly [string, string] => fact[1] !== undefined && fact[1] !== '',
  )
  const lines = known.map(([name, value]) => `  ${pad(name, 14)}  ${value}`)
  return [style.bold(printable(view.id)), ...lines].join('\n')
}

/** `83% used, resets in 42m (seen 2m ago)`. */
function quotaFact(window: QuotaWindow, now: Date): string {
  const { limit, remaining, status } = window
  const reset = resetWords(window, now)
  const count = limit === undefined || remaining === undefined ? [] : [`${remaining} of ${limit} left`]
  const said = status === undefined || status === 'allowed' || status === 'overage' ? [] : [status]
  const parts = [usedWords(window), ...count, ...said, ...(reset === '' ? [] : [`resets ${reset}`])]
  return `${parts.filter((part) => part !== '').join(', ')} (seen ${formatAgo(window.seenAt, now)})`
}

function headerLines(headers: Readonly<Record<string, string>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}`)
    .join(', ')
}

function renewal({ renewal: failed }: ProfileView, now: Date): string | undefined {
  if (failed === undefined) return undefined
  const next = failed.retryAt > now ? formatUntil(failed.retryAt, now) : 'with its next use'
  return `failed (${failed.reason}), tried again ${next}`
}

function failures(view: ProfileView): string | undefined {
  if (view.errorCount === 0) return undefined
  const kinds = Object.entries(view.failureCounts).map(([reason, count]) => `${reason} ${count}`)
  return kinds.length === 0 ? String(view.errorCount) : `${view.errorCount} (${kinds.join(', ')})`
}

function shown(text: string | undefined): string | undefined {
  return text === undefined ? undefined : printable(text)
}

function at(time: Date | undefined, now: Date): string {
  return time === undefined ? '' : ` (${formatAgo(time, now)})`
}

function yesNo(fact: boolean): string {
  return fact ? 'yes' : 'no'
}
