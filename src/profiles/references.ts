import { KeymuxError } from '../domain/errors.js'
import type { VaultInterface } from '../domain/ports.js'
import { shownReference, vaultReferenceName } from '../domain/profile.js'
import { checkSecret } from '../domain/secret.js'

/** Reads the secret behind a reference. Rejects with `reference_unresolved` or `invalid_reference`. */
export type ReferenceReader = (reference: string, signal?: AbortSignal) => Promise<string>

/** What references may reach. Every one is a port, so that tests and embedders decide. */
export interface ReferenceSources {
  readonly vault: Pick<VaultInterface, 'get'>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly readFile: (path: string, signal?: AbortSignal) => Promise<string>
  /** Runs a command line without a shell and gives its output; absent where the config does not allow it. */
  readonly run?: ((commandLine: string, signal?: AbortSignal) => Promise<string>) | undefined
}

/** A reader for `vault://NAME` (or a bare `NAME`), `env://VAR`, `file:///path` and, if allowed, `exec://`. */
export function createReferenceReader(sources: ReferenceSources): ReferenceReader {
  return async (reference, signal) => {
    const text = await read(sources, reference, signal)
    const secret = text.replace(/\r?\n$/, '')
    try {
      checkSecret(secret)
    } catch (error) {
      throw unresolved(reference, 'it holds no usable secret', error)
    }
    return secret
  }
}

async function read(sources: ReferenceSources, reference: string, signal?: AbortSignal): Promise<string> {
  const name = vaultReferenceName(reference)
  if (name !== undefined) {
    return sources.vault.get(name).catch((error: unknown) => {
      if (error instanceof KeymuxError && error.code === 'vault_locked') throw error
      throw unresolved(reference, 'there is no such secret', error, `set it with keymux secret set ${name}`)
    })
  }
  const rest = reference.slice(reference.indexOf('://') + 3)
  if (reference.startsWith('env://')) {
    const value = sources.env[rest]
    if (value === undefined || value === '') throw unresolved(reference, 'the variable is not set')
    return value
  }
  if (reference.startsWith('file://')) {
    return sources.readFile(filePath(reference), signal).catch((error: unknown) => {
      throw unresolved(reference, 'the file cannot be read', error)
    })
  }
  if (reference.startsWith('exec://')) {
    if (sources.run === undefined) {
      throw new KeymuxError('invalid_reference', 'exec:// references are not allowed here', {
        hint: 'set references.exec: true in the config to allow them',
      })
    }
    return sources.run(rest, signal).catch((error: unknown) => {
      throw unresolved(reference, 'the command failed', error)
    })
  }
  throw new KeymuxError('invalid_reference', `${JSON.stringify(reference)} is not a reference keymux knows`)
}

function filePath(reference: string): string {
  const url = new URL(reference)
  if (url.host !== '' && url.host !== 'localhost') throw unresolved(reference, 'it names another machine')
  const path = decodeURIComponent(url.pathname)
  return /^\/[A-Za-z]:\//.test(path) ? path.slice(1) : path
}

function unresolved(reference: string, why: string, cause?: unknown, hint?: string): KeymuxError {
  // A file error's own text may name a path but never carries the secret; it stays out of the sentence all the same.
  return new KeymuxError('reference_unresolved', `${shownReference(reference)} cannot be resolved: ${why}`, {
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  })
}
