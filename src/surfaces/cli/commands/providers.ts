import { KeymuxError } from '../../../domain/errors.js'
import { parseProviderName, quote } from '../../../domain/ids.js'
import { confirmed } from '../confirm.js'
import type { CliContext } from '../context.js'
import { type KnownProvider, providerToJson, renderProvider, renderProviders } from '../render/providers.js'
import type { CommandGroup, CommandSpec } from '../spec.js'
import { absolutePath, openUnasked, vaultExists } from '../vault-facts.js'
import { printChanged } from './changed.js'

const list: CommandSpec = {
  description:
    'The built-in ones, those of the config, and those kept in the vault where it opens without a question.',
  examples: [{ line: 'keymux providers', does: 'every provider, how it authenticates and its variable' }],
  async run(context) {
    const { providers, complete } = await knownProviders(context)
    const { output, style } = context
    output.result({ providers: providers.map(providerToJson) }, () =>
      renderProviders(providers, { style, width: output.width }),
    )
    if (!complete) output.note('The vault is locked: providers kept in it are not shown.')
    return undefined
  },
}

const show: CommandSpec = {
  arguments: [{ name: 'NAME', summary: 'the provider', completes: 'provider' }],
  examples: [{ line: 'keymux providers show openai', does: 'addresses, variables, how its key is sent' }],
  async run(context, input) {
    const name = parseProviderName(input.argument('NAME'))
    const { providers, complete } = await knownProviders(context)
    const known = providers.find(({ provider }) => provider.name === name)
    if (known === undefined) {
      throw new KeymuxError('provider_not_found', `there is no provider ${quote(name)}`, {
        hint: complete ? 'see keymux providers' : 'the vault is locked, and it may be kept there',
      })
    }
    const { output, style } = context
    const { login } = known
    const logins = login === undefined ? {} : { login: { status: login.status, note: login.note } }
    output.result({ ...providerToJson(known), ...logins }, () => renderProvider(known, style))
    return undefined
  },
}

const add: CommandSpec = {
  description:
    'FILE is YAML or JSON: {name, label, base_url, auth, modes, env_key, …}, or several as {NAME: {…}}. It is kept in the vault, sealed, because whoever could change it could have your keys sent to himself.',
  arguments: [{ name: 'FILE', summary: 'its declaration', completes: 'file' }],
  options: [{ flags: '--replace', summary: 'overwrite one of the same name that is kept in the vault' }],
  examples: [{ line: 'keymux providers add corp.yaml', does: 'then: keymux add corp:me' }],
  async run(context, input) {
    const { readProviderFile } = await import('../provider-file.js')
    const declared = await readProviderFile(absolutePath(context, 'FILE', input.argument('FILE')))
    const { providerShelf } = await context.open()
    const { signal } = context
    for (const { name, declaration } of declared) {
      await providerShelf.add(name, declaration, { replace: input.flag('replace'), signal })
    }
    const names = declared.map(({ name }) => name)
    printChanged(context, names, (name) => `${name} is known now. Add an account with keymux add ${name}.`)
    return undefined
  },
}

const remove: CommandSpec = {
  description: 'Only one that is kept in the vault. On a terminal it asks first, unless --yes is given.',
  arguments: [{ name: 'NAME', summary: 'the provider', completes: 'provider' }],
  options: [{ flags: '-y, --yes', summary: 'do not ask' }],
  examples: [{ line: 'keymux providers remove corp', does: 'its accounts stay, and cannot be used' }],
  async run(context, input) {
    const name = parseProviderName(input.argument('NAME'))
    const { providerShelf, profiles } = await context.open()
    const { signal } = context
    // One that is not kept there is the shelf's to refuse, and not worth a question.
    if ((await providerShelf.names()).includes(name)) {
      const left = await profiles.views({ provider: name }, { signal })
      const consequence = left.length === 0 ? '' : ` Its ${left.length} account(s) cannot be used then.`
      const question = `Remove the provider ${name}?${consequence}`
      if (!(await confirmed(context, input.flag('yes'), question, 'Nothing was removed.'))) return 1
    }
    await providerShelf.remove(name, { signal })
    printChanged(context, [name], () => `Removed the provider ${name}.`)
    return undefined
  },
}

/** `keymux providers`: who is known. */
export const providers: CommandGroup = {
  defaultSubcommand: 'list',
  subcommands: [
    { name: 'list', summary: 'list all providers', load: async () => list },
    { name: 'show', summary: 'show everything about one', load: async () => show },
    { name: 'add', summary: 'declare your own, in the vault', load: async () => add },
    { name: 'remove', summary: 'forget one that is kept in the vault', load: async () => remove },
  ],
  examples: [
    { line: 'keymux providers', does: 'lists them' },
    { line: 'keymux providers add corp.yaml', does: 'declares one of your own' },
  ],
}

/** All providers there are to be seen, and whether those in the vault are among them. */
async function knownProviders(
  context: CliContext,
): Promise<{ providers: KnownProvider[]; complete: boolean }> {
  const { loginMetadataOf } = await import('../../../oauth/settings.js')
  const { builtinProviders } = await import('../../../providers/registry.js')
  const handle = await openUnasked(context)
  const kept = new Set(handle === undefined ? [] : await handle.providerShelf.names())
  const { settings, host } = context
  const registry =
    handle?.providers ?? (await host.services.providers(settings.config, settings.configSource !== 'default'))
  const known = registry.list().map((provider): KnownProvider => {
    const builtIn = Object.hasOwn(builtinProviders, provider.name) ? 'built-in' : 'config'
    const login = loginMetadataOf(provider)
    const source = kept.has(provider.name) ? 'vault' : builtIn
    return { provider, source, ...(login === undefined ? {} : { login }) }
  })
  return { providers: known, complete: handle !== undefined || !(await vaultExists(context)) }
}
