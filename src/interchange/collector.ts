import { KeymuxError } from '../domain/errors.js'
import { newProfileId, parseProfileName } from '../domain/ids.js'
import { MAX_ENTRIES } from './contents.js'
import type { ImportDraft, ImportNote, ImportResultDraft } from './draft.js'

// Ids and reasons are shown; an entry's name of a megabyte would drown everything else.
const MAX_SHOWN = 200

/** What one entry of a file turned out to be. */
export type Reading =
  /** `otherwise` is the name to use when another credential has the draft's own. */
  | { readonly draft: ImportDraft; readonly otherwise?: string }
  /** Why it is left out. */
  | { readonly skipped: string }

/** Gathers what a file holds. No two drafts have the same id. */
export class Collector {
  readonly #drafts = new Map<string, ImportDraft>()
  readonly #skipped: ImportNote[] = []
  readonly #failed: ImportNote[] = []

  /**
   * Takes what the entry `id` turned out to be. A draft that repeats the credential of another with the
   * same name is skipped.
   *
   * @throws KeymuxError `invalid_profile_id`
   */
  take(id: string, reading: Reading): void {
    if ('skipped' in reading) this.skip(id, reading.skipped)
    else this.#add(id, reading.draft, reading.otherwise ?? reading.draft.name)
  }

  /**
   * Takes every entry, each on its own: one that cannot be read has failed, and the others go on.
   *
   * @throws KeymuxError `invalid_import` for too many
   */
  takeEach<T extends { readonly key: string }>(entries: readonly T[], read: (entry: T) => Reading): void {
    if (entries.length > MAX_ENTRIES) {
      throw new KeymuxError('invalid_import', `the file holds more than ${MAX_ENTRIES} entries`)
    }
    for (const entry of entries) this.attempt(entry.key, () => this.take(entry.key, read(entry)))
  }

  skip(id: string, reason: string): void {
    this.#skipped.push({ id: shown(id), reason: shown(reason) })
  }

  fail(id: string, reason: string): void {
    this.#failed.push({ id: shown(id), reason: shown(reason) })
  }

  /** Runs `read`; when that throws a KeymuxError, the entry `id` has failed. */
  attempt(id: string, read: () => void): void {
    try {
      read()
    } catch (error) {
      if (!(error instanceof KeymuxError)) throw error
      this.fail(id, error.message)
    }
  }

  result(): ImportResultDraft {
    return { drafts: [...this.#drafts.values()], skipped: this.#skipped, failed: this.#failed }
  }

  #add(entry: string, draft: ImportDraft, otherwise: string): void {
    const id = newProfileId(draft.provider, parseProfileName(draft.name))
    const first = this.#drafts.get(id)
    if (first === undefined) this.#drafts.set(id, draft)
    else if (sameCredential(first, draft)) this.skip(entry, `it holds the same credential as ${id}`)
    else if (draft.name !== otherwise) this.#add(entry, { ...draft, name: otherwise }, otherwise)
    else this.fail(entry, `another credential is called ${id} already`)
  }
}

function sameCredential(a: ImportDraft, b: ImportDraft): boolean {
  return (
    a.mode === b.mode &&
    a.secret === b.secret &&
    a.reference === b.reference &&
    a.baseUrl === b.baseUrl &&
    a.oauth?.accessToken === b.oauth?.accessToken &&
    a.oauth?.refreshToken === b.oauth?.refreshToken
  )
}

function shown(text: string): string {
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text
}
