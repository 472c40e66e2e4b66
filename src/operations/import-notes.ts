import { newProfileId } from '../domain/ids.js'
import type { Providers } from '../domain/providers.js'
import type { ImportDraft } from '../interchange/draft.js'
import { findImporter } from '../interchange/importers.js'
import { type RenewalObstacle, renewalObstacle } from '../oauth/renewable.js'

/** What became of logins that other programs renew: one sentence for all with the same lot. */
export function loginNotes(drafts: readonly ImportDraft[], providers: Providers): string[] {
  const idsByLot = new Map<string, string[]>()
  for (const draft of drafts) {
    const lot = lotOf(draft, providers)
    if (lot === undefined) continue
    const ids = idsByLot.get(lot) ?? []
    ids.push(newProfileId(draft.provider, draft.name))
    idsByLot.set(lot, ids)
  }
  return [...idsByLot].map(([lot, ids]) => `${ids.join(', ')}: ${lot}`)
}

function lotOf(draft: ImportDraft, providers: Providers): string | undefined {
  const tool = findImporter(draft.source)?.label ?? draft.source
  if (draft.oauth !== undefined) return `taken over; do not renew it in ${tool} as well: log in there anew.`
  if (draft.ofLogin !== true) return undefined
  const shared = `only the access token came along, good until it expires: ${tool} renews this login, and two programs that renew one login end it for each other`
  const separately = `${shared}; log in separately with keymux login, or take it over with --take-over --replace`
  switch (obstacleOf(draft.provider, providers)) {
    case undefined:
      return `${separately}.`
    case 'client_id':
      return `${separately} --client-id ID.`
    default:
      return `${shared}; import it again when it has expired.`
  }
}

function obstacleOf(name: string, providers: Providers): RenewalObstacle['missing'] | undefined {
  const provider = providers.get(name)
  const ended = provider?.oauth === undefined && provider?.login?.status === 'discontinued'
  return ended ? 'token_endpoint' : renewalObstacle(name, provider, undefined)?.missing
}
