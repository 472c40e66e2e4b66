import { newProfileId } from '../../domain/ids.js'
import type { ImportDraft } from '../../interchange/draft.js'
import { findImporter } from '../../interchange/importers.js'
import { renewalObstacle } from '../../oauth/renewable.js'
import type { ProviderRegistry } from '../../providers/registry.js'

/** What became of logins that other programs renew: one sentence for all with the same lot. */
export function loginNotes(drafts: readonly ImportDraft[], providers: ProviderRegistry): string[] {
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

/** Two programs that renew one login end it for each other, with a provider that rotates refresh tokens. */
function lotOf(draft: ImportDraft, providers: ProviderRegistry): string | undefined {
  const tool = findImporter(draft.source)?.label ?? draft.source
  if (draft.oauth !== undefined) return `taken over; do not renew it in ${tool} as well: log in there anew.`
  if (draft.ofLogin !== true) return undefined
  const shared = `the access token alone, until it expires, for ${tool} goes on renewing this login`
  const obstacle = renewalObstacle(draft.provider, providers.get(draft.provider), undefined)
  switch (obstacle?.missing) {
    case undefined:
      return `${shared}; log in separately with keymux login, or use --take-over --replace.`
    case 'client_id':
      return `${shared}; log in separately with keymux login, or use --take-over --replace --client-id ID.`
    default:
      return `${shared}, and keymux cannot; import it again then.`
  }
}
