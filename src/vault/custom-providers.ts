import { KeymuxError } from '../domain/errors.js'
import { quote } from '../domain/ids.js'
import type { CallOptions, Logger } from '../domain/ports.js'
import type { ProviderMetadata } from '../domain/provider.js'
import type { CustomProviders } from '../domain/providers.js'
import type { VaultCore } from './vault.js'

/** The part of a provider registry that follows what the vault holds. */
export interface ProviderRegister {
  get(name: string): ProviderMetadata | undefined
  register(metadata: ProviderMetadata): void
  unregister(name: string): void
}

/** Reads a custom provider's JSON form. @throws KeymuxError `invalid_provider` */
export type ProviderParser = (name: string, value: unknown) => ProviderMetadata

/**
 * Custom providers kept in the vault: whoever could change where requests go could have the keys sent to
 * himself, so their settings are sealed like the keys.
 */
export class ProviderShelf implements CustomProviders {
  readonly #core: VaultCore
  readonly #register: ProviderRegister
  readonly #parse: ProviderParser
  readonly #namesByRow = new Map<string, string>()
  readonly #inUse = new Set<string>()

  constructor(
    core: VaultCore,
    register: ProviderRegister,
    parse: ProviderParser,
    logger: Logger | undefined,
  ) {
    this.#core = core
    this.#register = register
    this.#parse = parse
    core.subscribe((delta) => {
      if (delta.full) for (const rowId of [...this.#namesByRow.keys()]) this.#drop(rowId)
      for (const { table, rowId, row } of delta.changes) {
        if (table !== 'provider') continue
        this.#drop(rowId)
        if (row === undefined) continue
        const { name, value } = JSON.parse(row.meta.toString()) as { name: string; value: unknown }
        this.#namesByRow.set(rowId, name)
        try {
          this.#register.register(this.#parse(name, value))
          this.#inUse.add(rowId)
        } catch (error) {
          // The config declares the same name, or a newer keymux wrote a field this one does not know.
          logger?.warn('a provider kept in the vault is not used', {
            provider: name,
            code: error instanceof KeymuxError ? error.code : 'unknown',
          })
        }
      }
    })
  }

  async names(): Promise<string[]> {
    if (this.#core.stale()) await this.#core.sync()
    return [...this.#namesByRow.values()].sort()
  }

  async add(
    name: string,
    value: unknown,
    options: CallOptions & { readonly replace?: boolean | undefined } = {},
  ): Promise<void> {
    const metadata = this.#parse(name, value)
    options.signal?.throwIfAborted()
    await this.#core.write(async (tx) => {
      if (options.replace !== true) this.#refuseDamaged(metadata.name)
      const own = [...this.#namesByRow.values()].includes(metadata.name)
      if (this.#register.get(metadata.name) !== undefined && !(own && options.replace === true)) {
        throw new KeymuxError('provider_exists', `there is a provider ${quote(metadata.name)} already`, {
          hint: own ? 'use --replace to overwrite it' : 'choose another name',
        })
      }
      await tx.put('provider', metadata.name, Buffer.from(JSON.stringify({ name: metadata.name, value })))
      await tx.audit(own ? 'provider_changed' : 'provider_added', metadata.name)
    })
  }

  async remove(name: string, options: CallOptions = {}): Promise<void> {
    const wanted = name.toLowerCase()
    options.signal?.throwIfAborted()
    await this.#core.write(async (tx) => {
      this.#refuseDamaged(wanted)
      if (![...this.#namesByRow.values()].includes(wanted)) {
        throw new KeymuxError('provider_not_found', `the vault keeps no provider ${quote(name)}`, {
          hint:
            this.#register.get(wanted) === undefined
              ? 'see keymux providers'
              : 'built-in and configured ones stay',
        })
      }
      await tx.delete('provider', wanted)
      await tx.audit('provider_removed', wanted)
    })
  }

  /** @throws KeymuxError `vault_corrupt` for a name that is taken by a provider that cannot be read */
  #refuseDamaged(name: string): void {
    if (!this.#core.damages('provider', name)) return
    throw new KeymuxError('vault_corrupt', `the provider ${quote(name)} is damaged and cannot be read`, {
      hint: 'restore a backup, or overwrite it with keymux providers add --replace',
    })
  }

  #drop(rowId: string): void {
    const name = this.#namesByRow.get(rowId)
    if (name === undefined) return
    this.#namesByRow.delete(rowId)
    // One that the config declares as well never came into use: the config's stays.
    if (this.#inUse.delete(rowId)) this.#register.unregister(name)
  }
}
