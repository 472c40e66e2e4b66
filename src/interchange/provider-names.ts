import type { ImportContext } from './draft.js'

/** The provider that another tool means by `name`; `undefined` when it is none of those that keymux knows. */
export function knownProvider(
  name: string,
  { known, aliases }: Pick<ImportContext, 'known' | 'aliases'>,
): string | undefined {
  const asked = name.toLowerCase()
  return [asked, aliases?.get(asked)].find((one) => one !== undefined && known.has(one))
}

/** What becomes of an entry whose provider keymux does not know. */
export const UNKNOWN_PROVIDER = {
  skipped: 'keymux knows no such provider; declare it with keymux providers add',
} as const
