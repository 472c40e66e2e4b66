import { KeymuxError } from '../../../domain/errors.js'
import { newProfileId, parseProfileId, quote } from '../../../domain/ids.js'
import { AUTH_MODES, type AuthMode } from '../../../domain/profile.js'
import type { NewProfile } from '../../../domain/profiles.js'
import type { ProviderMetadata } from '../../../domain/provider.js'
import { PROXY_HINT, parseProxySetting, parseProxyUrl } from '../../../domain/proxy.js'
import { parseList } from '../../../operations/members.js'
import { baseUrlMissing } from '../../../providers/base-url.js'
import type { CliContext } from '../context.js'
import type { CommandInput } from '../input.js'
import { readSecret, SECRET_OPTIONS } from '../secret-input.js'
import type { CommandSpec } from '../spec.js'
import { parseInstant } from '../values.js'

const MODE_NAMES: Readonly<Record<AuthMode, string>> = {
  api_key: 'API key',
  token: 'token',
  oauth: 'OAuth login',
}

/** `keymux add`: a new profile. */
export const add: CommandSpec = {
  description:
    'The secret is read from standard input, from an environment variable, or typed at a hidden prompt; it is never taken from the command line, where other programs could read it.',
  arguments: [
    { name: 'PROVIDER[:NAME]', summary: 'the provider, and a name for this account', completes: 'provider' },
  ],
  options: [
    {
      flags: '--mode <MODE>',
      summary: 'how it authenticates; an API key by default',
      choices: [...AUTH_MODES],
    },
    ...SECRET_OPTIONS,
    { flags: '--priority <N>', summary: 'higher goes first; 0 by default' },
    {
      flags: '--account <ID>',
      summary: 'organisation or project behind the key: keys of one share its limits',
    },
    { flags: '--models <GLOB,…>', summary: 'models it may serve, such as gpt-4*; all by default' },
    { flags: '--base-url <URL>', summary: "send requests there instead of to the provider's own address" },
    { flags: '--pool <NAME>', summary: 'accounts of one pool stand in for each other, and for no others' },
    {
      flags: '--concurrency <N>',
      summary: 'requests that it serves at a time, in each process; others go on or wait; any by default',
    },
    {
      flags: '--weight <N>',
      summary: 'its share of the requests where accounts are used by weight, 1 to 100; 1 by default',
    },
    {
      flags: '--header <NAME=VALUE>',
      summary: 'a header that goes with every request of this account',
      repeatable: true,
    },
    {
      flags: '--proxy <URL>',
      summary: 'its requests go through this proxy: http://HOST:PORT, a reference to a URL, or none',
    },
    { flags: '--expires-at <TIME>', summary: 'when a token expires: 2026-12-31T12:00:00Z, or 30d from now' },
    {
      flags: '--replace',
      summary: 'give a profile of this name another credential; its settings stay unless given',
    },
  ],
  examples: [
    { line: 'keymux add openai:work', does: 'asks for the key without showing it' },
    {
      line: 'pass show openai | keymux add openai:personal --stdin --priority 5',
      does: 'reads it from a pipe',
    },
    { line: 'keymux add groq --ref env://GROQ_API_KEY', does: 'keeps a reference, not the key' },
    { line: 'keymux add ollama:local', does: 'needs no key' },
    {
      line: 'keymux add azure-openai:work --base-url https://RESOURCE.openai.azure.com',
      does: 'has an address of its own',
    },
  ],
  async run(context, input) {
    const { provider: asked, name: profileName } = parseProfileId(input.argument('PROVIDER[:NAME]'))
    const { profiles, providers } = await context.open()
    const provider = providers.named(asked)
    if (provider === undefined) {
      throw new KeymuxError('unknown_provider', `there is no provider ${quote(asked)}`, {
        hint: 'see keymux providers, or declare it with keymux providers add FILE',
      })
    }
    const id = newProfileId(provider.name, profileName)
    const replace = input.flag('replace')
    // Before the secret is asked for: nobody should paste a key only to learn that the name is taken.
    const known = await profiles.get(id, { signal: context.signal })
    if (known !== undefined && !replace) {
      throw new KeymuxError('profile_exists', `${id} exists already`, {
        hint: 'use --replace to overwrite it, or choose another name',
      })
    }
    const profile = await newProfile(context, input, provider, profileName)
    const added = await profiles.add(profile, { replace, signal: context.signal })
    report(context, added.id, added.mode === 'oauth', known !== undefined)
    return undefined
  },
}

async function newProfile(
  context: CliContext,
  input: CommandInput,
  provider: ProviderMetadata,
  name: string,
): Promise<NewProfile> {
  const mode = modeOf(input, provider)
  const baseUrl = input.text('base-url')
  // Before the secret is asked for, too.
  if (provider.baseUrlExample !== undefined && baseUrl === undefined) throw baseUrlMissing(provider)
  const expiresAt = input.text('expires-at')
  if (expiresAt !== undefined && mode !== 'token') {
    throw new KeymuxError('usage', 'only a token has an expiry of its own', { hint: 'use --mode token' })
  }
  const priority = input.integer('priority')
  const account = input.text('account')
  const models = input.text('models')
  return {
    provider: provider.name,
    name,
    mode,
    ...(priority === undefined ? {} : { priority }),
    ...(account === undefined ? {} : { account }),
    ...(models === undefined ? {} : { models: parseList('--models', models) }),
    ...(baseUrl === undefined ? {} : { baseUrl }),
    pool: input.text('pool'),
    concurrency: input.integer('concurrency'),
    weight: input.integer('weight'),
    headers: headersOf(input.texts('header')),
    proxy: proxyOf(input.text('proxy')),
    ...(expiresAt === undefined
      ? {}
      : { expiresAt: parseInstant('--expires-at', expiresAt, context.host.clock.now(), 'ahead') }),
    ...(await secretOf(context, input, mode, provider, name)),
  }
}

/** What others can read on a command line is no place for a password. */
function proxyOf(text: string | undefined): string | undefined {
  if (text === undefined || parseProxySetting(text) !== undefined) return text
  if (parseProxyUrl(text)?.login === undefined) {
    throw new KeymuxError('usage', 'what --proxy says is no proxy', { hint: PROXY_HINT })
  }
  throw new KeymuxError('secret_in_argv', 'the login of a proxy does not belong on the command line', {
    hint: 'keep the URL as a secret with keymux secret set NAME, then --proxy vault://NAME',
  })
}

function headersOf(pairs: readonly string[]): Record<string, string> | undefined {
  if (pairs.length === 0) return undefined
  return Object.fromEntries(
    pairs.map((pair): [string, string] => {
      const equals = pair.indexOf('=')
      if (equals > 0) return [pair.slice(0, equals).trim(), pair.slice(equals + 1).trim()]
      throw new KeymuxError('usage', `${quote(pair)} is no header`, { hint: 'write NAME=VALUE' })
    }),
  )
}

async function secretOf(
  context: CliContext,
  input: CommandInput,
  mode: AuthMode,
  { name: provider, keyless }: ProviderMetadata,
  name: string,
): Promise<{ secret?: string; reference?: string }> {
  const isGiven =
    input.flag('stdin') || input.text('from-env') !== undefined || input.text('ref') !== undefined
  if (mode === 'api_key' && keyless === true && !isGiven) return {}
  if (mode === 'oauth') {
    if (isGiven) {
      throw new KeymuxError('usage', 'an OAuth profile takes no secret here', {
        hint: `leave it out and run keymux login ${provider}:${name}, or use --mode token`,
      })
    }
    return {}
  }
  return readSecret(context, input, {
    question: `${MODE_NAMES[mode]} for ${provider}:${name}: `,
    references: true,
  })
}

function modeOf(input: CommandInput, provider: ProviderMetadata): AuthMode {
  const wanted = input.text('mode') as AuthMode | undefined
  if (wanted !== undefined) return wanted
  return provider.modes.includes('api_key') ? 'api_key' : (provider.modes[0] ?? 'token')
}

function report(context: CliContext, id: string, needsLogin: boolean, replaced: boolean): void {
  const { output, style } = context
  const hint = needsLogin ? `keymux login ${id}` : undefined
  output.result({ profile_id: id, ...(hint === undefined ? {} : { login_needed: true, hint }) }, () =>
    output.isTTY ? `${style.good('✓')} ${replaced ? 'Replaced' : 'Added'} ${id}.` : id,
  )
  if (hint !== undefined) output.note(`${id} needs a login before it can be used: ${hint}`)
}
