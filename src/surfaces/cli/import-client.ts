import { withoutUndefined } from '../../domain/defined.js'
import type { ImportDraft, ImportResultDraft } from '../../interchange/draft.js'
import { checkReference } from '../../profiles/validate.js'
import { usageError } from './errors.js'
import type { CommandInput } from './input.js'

/** The OAuth client that logins which are taken over were made with. */
export interface LoginClient {
  readonly clientId?: string
  readonly secretRef?: string
}

/** @throws KeymuxError `usage`, `invalid_reference` */
export function readClient(input: CommandInput): LoginClient {
  const [clientId, secretRef] = [input.text('client-id'), input.text('client-secret-ref')]
  if (clientId === undefined && secretRef === undefined) return {}
  if (!input.flag('take-over'))
    throw usageError('--client-id and --client-secret-ref go with --take-over alone')
  if (clientId === '') throw usageError('the client id is empty')
  if (secretRef !== undefined) checkReference(secretRef)
  return withoutUndefined({ clientId, secretRef })
}

/**
 * Gives logins that are taken over their client.
 *
 * @throws KeymuxError `usage` where they belong to several providers
 */
export function withClient(
  found: ImportResultDraft,
  { clientId, secretRef }: LoginClient,
): ImportResultDraft {
  if (clientId === undefined && secretRef === undefined) return found
  const logins = found.drafts.filter(({ oauth }) => oauth !== undefined)
  if (new Set(logins.map(({ provider }) => provider)).size > 1) {
    throw usageError('there are logins of several providers, and a client belongs to one')
  }
  const drafts = found.drafts.map((draft): ImportDraft => {
    const { oauth } = draft
    if (oauth === undefined) return draft
    const client = { clientId: clientId ?? oauth.clientId, clientSecretRef: secretRef }
    return { ...draft, oauth: withoutUndefined({ ...oauth, ...client }) }
  })
  return { ...found, drafts }
}
