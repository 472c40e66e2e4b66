import type { JsonObject } from '../domain/json-reader.js'
import type { AuthMode, OAuthCredential } from '../domain/profile.js'

/** Whatever a file may be handed over as. */
export type FileContents = string | Uint8Array

/** One credential found elsewhere, not yet checked against the vault. It holds the secret in the clear. */
export interface ImportDraft {
  readonly provider: string
  readonly name: string
  readonly mode: AuthMode
  /** The API key or token itself. */
  readonly secret?: string
  /** Where the secret is kept, `env://VAR`. */
  readonly reference?: string
  /** A whole login with its refresh token; only where it was asked to take logins over. */
  readonly oauth?: Omit<OAuthCredential, 'provider' | 'profileName'>
  /** A token that belongs to a login which the other program goes on renewing. */
  readonly ofLogin?: true
  /** When a token expires. */
  readonly expiresAt?: Date
  readonly email?: string
  /** The organisation or subscription behind the credential. */
  readonly account?: string
  /** Where this credential is valid, when that is not the provider's usual address. */
  readonly baseUrl?: string
  /** Headers that go with every request of this account. */
  readonly headers?: Readonly<Record<string, string>>
  readonly priority?: number
  /** What is known of its use, in the stored format's snake_case (`usageFromJson` reads it). */
  readonly usage?: JsonObject
  /** It served its provider last. */
  readonly lastGood?: boolean
  /** The tool it comes from, as in `keymux import SOURCE`. */
  readonly source: string
}

/** Something that was found and not taken, and why: one clause without a full stop, never a secret. */
export interface ImportNote {
  /** The profile's id, or what the file calls the entry. */
  readonly id: string
  readonly reason: string
}

/** A named secret. */
export interface NamedSecret {
  readonly name: string
  readonly value: string
}

/** What a file holds. */
export interface ImportResultDraft {
  readonly drafts: readonly ImportDraft[]
  readonly secrets?: readonly NamedSecret[]
  /** Entries that are sound and not for keymux. */
  readonly skipped: readonly ImportNote[]
  /** Entries that cannot be read. */
  readonly failed: readonly ImportNote[]
}

/** What reading another tool's file depends on. */
export interface ImportContext {
  /** Names of the providers that keymux knows. */
  readonly known: ReadonlySet<string>
  /** What other tools call them, in lower case. */
  readonly aliases?: ReadonlyMap<string, string>
  /** Take refresh tokens too: the other program's login then belongs to keymux. Default false. */
  readonly takeOver?: boolean
  /** The {@link Importer.companions} that were there, by file name. */
  readonly companions?: Readonly<Record<string, FileContents>>
}

/** How the credentials of another tool are read. */
export interface Importer {
  /** As in `keymux import NAME`. */
  readonly name: string
  /** The tool's name for people. */
  readonly label: string
  /** Files in the folder of the main one that add to it where they exist. */
  readonly companions?: readonly string[]
  /** Where the tool keeps its file, most likely place first. */
  defaultPaths(home: string, env: Environment, platform: string): string[]
  /** @throws KeymuxError `invalid_import` for a file that is not the tool's, naming the field that is wrong */
  parse(contents: FileContents, context: ImportContext): ImportResultDraft
}

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>
